"Searching for actions inside the learned world."
from .cost import *
from .cem import *
from .mppi import *
from .fast import *
from .agent import *
from .episodes import *
