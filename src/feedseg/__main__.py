"""`python -m feedseg`."""

import sys

from feedseg.apps.cli import main

sys.exit(main())
