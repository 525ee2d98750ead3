# expect: RL101
LOGGING = {'version': 1,
