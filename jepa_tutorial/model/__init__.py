"The world model: encoder, predictor, and both as one."
from .normalizer import *
from .encoder import *
from .predictor import *
from .jepa import *
