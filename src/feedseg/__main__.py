"""`python -m feedseg`."""

import sys

from feedseg.apps.cli.main import main

sys.exit(main())
