"""The API as its users see it: verbs, informers, work queues, events, leader election.

One client over a transport, in process or over HTTPS; who answers must not matter here.
"""
