__version__ = "0.2.0"

from gymnasium import register, registry

ENV_ID = 'jepa_tutorial/TwoRooms-v0'

if ENV_ID not in registry:      # the environment itself is loaded when it is made
    home = 'jepa_tutorial.world.environment'
    register(ENV_ID, entry_point=f'{home}:TwoRoomsEnv', max_episode_steps=200,   # TimeLimit's
             kwargs=dict(max_steps=None), vector_entry_point=f'{home}:TwoRoomsVectorEnv')
