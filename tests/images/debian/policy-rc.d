#!/bin/sh
# No service starts because it was installed.
exit 101
