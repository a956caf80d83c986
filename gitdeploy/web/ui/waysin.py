"""What to type to deploy to an app for the first time: commands, the same in every language."""

from __future__ import annotations

from typing import NamedTuple

from gitdeploy.web.forwarded import Way


class WaysIn(NamedTuple):
    """Each is a text to copy; `hook` is the address that a sender of webhooks is given."""

    git: str
    sample: str
    zip: str
    hook: str
    hook_by_hand: str


def ways_in(way: Way, app: str) -> WaysIn:
    """For an app, by the way in that the reader uses."""
    api = way.app(app)
    job = "App_Data/jobs/triggered/hello"
    payload = '{"format": "basic", "url": "https://github.com/you/repository#main"}'
    return WaysIn(
        git=f"git remote add gitdeploy {way.base}/{app}.git\ngit push gitdeploy main",
        sample=(
            f"mkdir -p {job}\n"
            f"echo 'print(\"hello from gitdeploy\")' > {job}/run.py\n"
            f'echo \'{{"schedule": "0 */5 * * * *"}}\' > {job}/settings.job\n'
            'git add App_Data && git commit -m "A first job"'
        ),
        zip=(
            'zip -r site.zip App_Data\ncurl -u :TOKEN -H "Content-Type: application/zip" \\\n'
            f"  --data-binary @site.zip {api}/api/zipdeploy"
        ),
        hook=f"{api}/deploy",
        hook_by_hand=(
            'curl -u :TOKEN -H "Content-Type: application/json" \\\n'
            f"  -d '{payload}' {api}/deploy"
        ),
    )
