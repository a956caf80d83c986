"""gitdeploy: `git push` your background jobs to a machine of your own."""

__version__ = "0.1.0"
