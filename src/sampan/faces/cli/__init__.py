"""The command `sampan`: one module a command or family, imported when it is called.

It must not know how processes are started or what is left of them: `session.Launcher` does.
"""
