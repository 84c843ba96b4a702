"""A night on call while those who call are killed, frozen and have wrong clocks: is everybody told, and how often?"""
