"""`python -m gitdeploy` is the same as the console script."""

from gitdeploy.cli import main

if __name__ == "__main__":
    main()
