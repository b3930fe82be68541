"""The networks that people define for their own containers, as Docker has them.

What a network is (documents, addresses, names, ports) and who is on it is decided here; bridges,
rules and DNS messages are the mechanism of `sampan.network`.
"""
