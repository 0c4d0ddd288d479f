"The model, the losses and the planners in a project that knows nothing of two rooms."
import re
from pathlib import Path
import pytest, torch
from jepa_tutorial.planning import CEM, Agent, Replan
from jepa_tutorial.tools.devices import rng

@pytest.fixture(scope='module')
def example():
    "The names that the README's example makes."
    text = (Path(__file__).resolve().parent.parent/'README.md').read_text(encoding='utf-8')
    code, = (c for c in re.findall(r'```python\n(.*?)```', text, re.S) if 'Objective(' in c)
    assert len([line for line in code.splitlines() if line.strip()]) <= 15
    torch.manual_seed(0)
    space = {}
    exec(compile(code, 'README.md', 'exec'), space)
    return space

def test_the_example_trains_all_that_it_made(example):
    assert example['loss'].isfinite() and set(example['parts']) == {'prediction', 'covariance', 'variance', 'time_similarity', 'inverse_dynamics'}
    for part in ('model', 'objective'):
        for name, p in example[part].named_parameters(): assert p.grad is not None and p.grad.isfinite().all() and p.grad.abs().sum() > 0, f'{part}.{name}'

def test_forward_is_encoding_and_unrolling(example):
    model, images, actions = (example[k] for k in ('model', 'images', 'actions'))
    z, predicted = model(images, actions)
    by_hand = torch.stack([torch.stack([model.encoder(images[b, t:t+1])[0] for t in range(9)]) for b in range(8)])
    torch.testing.assert_close(z, by_hand, rtol=1e-4, atol=1e-5)
    h = z[:, 0]
    for t in range(8):
        h = model.norm(model.predictor(h, actions[:, t]))
        torch.testing.assert_close(predicted[:, t], h)
    torch.testing.assert_close(z.mean(-1), torch.zeros(8, 9), rtol=0, atol=1e-5)     # its own norm ends both

def test_a_last_action_changes_nothing(example):
    "Nine actions for nine frames: the ninth leads out of the clip."
    objective, model, images, actions = (example[k] for k in ('objective', 'model', 'images', 'actions'))
    more = torch.cat([actions, 99*torch.ones(8, 1, 3)], 1)
    assert objective(model, images, more)[0] == objective(model, images, actions)[0]

def test_it_plans(example):
    "An agent acts in three dimensions, and its plan is cheaper than standing still."
    model, images = example['model'].requires_grad_(False), example['images']
    search = CEM(num_samples=64, iterations=4, num_elites=8, horizon=3, action_dim=3, keep_elites=1)
    agent = Agent(model, search, Replan(), images[:, 8])
    actions = agent.act(images[:, 0], 9, rng(0))
    assert actions.shape == (8, 1, 3) and actions.isfinite().all()
    still = torch.zeros(8, 1, 3, 3)
    assert (agent.cost(agent.plan.elites[:, :1]) <= agent.cost(still) + 1e-5).all()
    example['model'].requires_grad_(True)
