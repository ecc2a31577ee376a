"""`python -m tallystick` is `tally`."""

import sys

from tallystick.cli import main

sys.exit(main())
