"""Named folders that outlive the containers that use them, as Docker's `local` driver has them."""
