"""`python -m deploy.local`: the supervisor of the local installation, after `presstally` has prepared the machine."""

import sys

from deploy.local.stack import Stack

if __name__ == "__main__":
    sys.exit(Stack().run())
