"Where a square root, a length or a ratio has no slope, gradients are finite all the same, or the argument is refused."
import pytest, torch
from jepa_tutorial.losses import covariance_loss, embedding_std, InverseDynamics, inverse_dynamics_loss, Objective, time_similarity_loss, variance_loss
from jepa_tutorial.model import ImpalaEncoder, JEPA, Normalizer, prediction_loss
from jepa_tutorial.planning import goal_cost, goal_distance, limit_norm, RevisitPenalty
from jepa_tutorial.tools.devices import rng, seed_all

def z(*shape): return torch.zeros(*shape, requires_grad=True)
def jepa():
    seed_all(0)
    return JEPA(ImpalaEncoder(channels=(2,), dim=4))
def rollout():
    a, zero = z(1, 3, 4, 2), torch.zeros(1, 4)
    return goal_cost(jepa(), zero, zero, a, distance='euclidean').sum(), a

def objective():
    x, model = z(4, 3, 4), jepa()
    return Objective(4).terms(model, x, torch.zeros(4, 3, 2))[0], x

def one(f, *shape):
    x = z(*shape)
    return f(x).sum(), x

CASES = dict(variance=lambda: one(variance_loss, 4, 3, 8), variance_tiny=lambda: one(lambda x: variance_loss(x, eps=1e-20), 4, 3, 8), variance_time=lambda: one(lambda x: variance_loss(x, pool='time'), 2, 3, 8),
             variance_half=lambda: one(lambda x: variance_loss(x.half()), 4, 3, 8), covariance=lambda: one(covariance_loss, 4, 3, 8), covariance_one_dimension=lambda: one(covariance_loss, 4, 3, 1),
             covariance_time=lambda: one(lambda x: covariance_loss(x, 'time'), 2, 3, 8), two_samples=lambda: one(variance_loss, 1, 2, 8),
             std=lambda: one(embedding_std, 4, 8), time=lambda: one(time_similarity_loss, 2, 3, 8), inverse=lambda: one(lambda x: inverse_dynamics_loss(InverseDynamics(8), x, torch.zeros(2, 3, 2)), 2, 3, 8),
             prediction=lambda: one(lambda x: prediction_loss(x, x.detach()), 2, 8), euclidean=lambda: one(lambda x: goal_distance(x, torch.zeros(8), 'euclidean'), 3, 8),
             squared=lambda: one(lambda x: goal_distance(x, torch.zeros(8)), 3, 8), goal_cost=rollout, limit=lambda: one(lambda a: limit_norm(a, 2.45), 3, 2),
             revisit=lambda: one(RevisitPenalty(torch.zeros(2, 3, 8), torch.ones(2, 3), 5.), 2, 4, 8), normalizer=lambda: one(Normalizer().obs, 2, 2, 5, 5), encoder=lambda: one(jepa().encode, 2, 2, 65, 65), objective=objective)

@pytest.mark.parametrize('name', CASES)
def test_the_gradient_is_finite_where_nothing_varies(name):
    value, x = CASES[name]()
    assert value.isfinite() and torch.autograd.grad(value, x)[0].isfinite().all()

@pytest.mark.parametrize('eps', [0, 0., 1e-50, -1e-4, float('nan')])
def test_the_variance_loss_needs_its_eps(eps):
    with pytest.raises(ValueError, match='eps is'): variance_loss(torch.randn(4, 3, 8, generator=rng(0)), eps=eps)

@pytest.mark.parametrize('loss', [variance_loss, covariance_loss])
def test_one_sample_has_no_spread(loss):
    with pytest.raises(ValueError, match='at least 2'): loss(torch.zeros(1, 1, 8))
    with pytest.raises(ValueError, match='at least 2'): loss(torch.zeros(1, 3, 8), pool='time')
