"""Where the parts are wired together into the processes of an instance."""
