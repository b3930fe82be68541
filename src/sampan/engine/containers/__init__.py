"""The machine's own containers: what people run by hand, under names, policies and health checks.

They stand on the mechanism (`engine.container_engine`), which knows nothing of them.
"""
