"The prediction loss's companions, which keep embeddings from collapsing, and their sum."
from .collapse import *
from .variance_covariance import *
from .time_similarity import *
from .inverse_dynamics import *
from .objective import *
