"The world: rooms, moves, pictures, trajectories."
from .two_rooms import *
from .trajectories import *
