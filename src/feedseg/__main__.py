"""`python -m feedseg`."""

from feedseg.apps.cli.main import entry

entry()
