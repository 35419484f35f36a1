"""Takes long to import."""

import time

time.sleep(1.5)
