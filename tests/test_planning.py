"The planners' arithmetic against the published one, and searches against problems whose answer is known."
import math
from pathlib import Path
import numpy as np, pytest, torch
import torch.nn.functional as F
from jepa_tutorial.tools.devices import amp_dtype, rng, seed_all
from jepa_tutorial.world.two_rooms import render
from jepa_tutorial.model.encoder import ImpalaEncoder
from jepa_tutorial.model.jepa import JEPA
from jepa_tutorial.model.predictor import GRUPredictor
from jepa_tutorial.planning.agent import Agent, AgentOptions, Planner, Replan, load_planner, published_planner
from jepa_tutorial.planning.cem import CEM, limit_norm
from jepa_tutorial.planning.cost import goal_cost, RevisitPenalty
from jepa_tutorial.planning.episodes import (
    ImagePolicy, oracle, random_actions, run_episodes, run_policy, sample_tasks, straight_line, success_rate
)
from jepa_tutorial.planning.fast import make_cost
from jepa_tutorial.planning.mppi import MPPI
from jepa_tutorial.tools.fingerprints import _Truth

SHIPPED = ('plan_published', 'plan_fast', 'plan_cem', 'plan_mppi_last')

@pytest.fixture(scope='module')
def published():
    data = np.load(Path(__file__).parent/'fixtures'/'planner_update.npz')
    return {k: torch.from_numpy(data[k]) for k in data.files}

@pytest.fixture(scope='module')
def jepa():
    seed_all(0)
    return JEPA(ImpalaEncoder(channels=(4, 4, 4), dim=32)).eval().requires_grad_(False)

def plans(published, key): return published[key].permute(1, 0, 2)[None]     # [T,N,A] -> [1,N,T,A]

@pytest.mark.parametrize('name,planner', [('mppi', published_planner().search), ('cem', CEM())])
def test_update_agrees_with_published(published, name, planner):
    actions = limit_norm(planner.sigma*plans(published, 'noise'), planner.max_norm)
    torch.testing.assert_close(actions, plans(published, f'{name}_actions'), rtol=1e-5, atol=2e-6)
    up = planner.update(actions, published['cost'][None])
    assert set(up.elites[0].tolist()) == set(published[f'{name}_elite_idx'].tolist())
    torch.testing.assert_close(up.mean[0], published[f'{name}_mean'], rtol=1e-5, atol=2e-6)
    torch.testing.assert_close(up.std[0], published[f'{name}_std'], rtol=1e-5, atol=2e-6)

def test_mppi_weights_agree_with_published(published):
    up = published_planner().search.update(plans(published, 'mppi_actions'), published['cost'][None])
    order = {i: w for i, w in zip(published['mppi_elite_idx'].tolist(), published['mppi_weights'].tolist())}
    torch.testing.assert_close(up.weights[0], torch.tensor([order[i] for i in up.elites[0].tolist()]), rtol=1e-5, atol=1e-7)

def test_cem_deviation_divides_by_one_less_than_the_elites(published):
    a, c = plans(published, 'cem_actions'), published['cost'][None]
    elites = a[0, c[0].argsort()[:20]]
    torch.testing.assert_close(CEM().update(a, c).std[0], elites.std(0), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(CEM(unbiased=False).update(a, c).std[0], elites.std(0, unbiased=False), rtol=1e-5, atol=1e-6)

def test_one_iteration_returns_what_was_published(published):
    "With the published noise as the only sample, a whole plan gives the published answer."
    class Replay(CEM):
        def propose(self, mean, std, noise, elites=None): return limit_norm(std[:, None]*plans(published, 'noise'), self.max_norm)
    plan = Replay(iterations=1).plan(lambda a: published['cost'][None], rng(0), horizon=5)
    torch.testing.assert_close(plan.actions[0], published['cem_returned_actions'], rtol=1e-5, atol=2e-6)

def test_mppi_returns_one_of_the_elites(published):
    class Replay(MPPI):
        def propose(self, mean, std, noise, elites=None): return std[:, None]*plans(published, 'noise')
    plan = Replay(iterations=1, max_norm=None).plan(lambda a: published['cost'][None], rng(0), horizon=5)
    elites = plans(published, 'mppi_actions')[0, published['mppi_elite_idx']]
    assert (elites - plan.actions).flatten(1).abs().amax(1).min() < 1e-6

@pytest.mark.parametrize('planner', [CEM(), published_planner().search, CEM(explore_fraction=.25, noise_correlation=(.5, .9)), CEM(keep_elites=2),
                                     CEM(restarts=2, num_elites=10), CEM(proposal_correlation=.2), MPPI(temperature=20., select='best')], ids=lambda p: type(p).__name__)
def test_quadratic_bowl(planner):
    target = limit_norm(torch.randn(3, 6, 2, generator=rng(0)), 2.)
    bowl = lambda a: (a - target[:, None]).square().sum((-2, -1))
    plan = planner.plan(bowl, rng(1), episodes=3, horizon=6)
    assert bowl(plan.actions[:, None]).max() < .05*target.square().sum((1, 2)).min()

def test_same_seed_same_plan_and_episodes_do_not_mix():
    bowl = lambda a: (a - 1).square().sum((-2, -1))
    p = CEM(horizon=4, iterations=3)
    assert torch.equal(p.plan(bowl, rng(3), 2).actions, p.plan(bowl, rng(3), 2).actions)
    other = lambda a: torch.stack([bowl(a)[0], -bowl(a)[1]])            # another task in the second place
    assert torch.equal(p.plan(bowl, rng(3), 2).actions[0], p.plan(other, rng(3), 2).actions[0])

def test_nan_costs_are_never_elites():
    def bowl(a):
        c = (a - 1).square().sum((-2, -1)); c[:, ::3] = torch.nan
        return c
    assert (CEM(horizon=4).plan(bowl, rng(0)).actions - 1).abs().max() < .1

def test_fresh_samples_leave_a_local_minimum():
    "Two pits; the search starts in the shallow one, with no width to see the other."
    def pits(a):
        end = a.sum(-2)[..., 0]
        return torch.minimum((end - 20).abs() - 15, (end + 5).abs())
    init = torch.full((1, 20, 2), -.25)
    at = dict(horizon=20, iterations=4, select='best', keep_elites=1)
    ends = [CEM(**at, explore_fraction=share).plan(pits, rng(0), init=init, init_sigma=.1).actions.sum(1)[0, 0] for share in (0., .5)]
    assert ends[0] < 0 < ends[1]

def test_names_are_found_where_the_package_says():
    import jepa_tutorial.planning as planning
    for name, home in dict(CEM='cem', MPPI='mppi', Agent='agent', run_episodes='episodes', make_cost='fast', goal_cost='cost').items():
        assert getattr(planning, name).__module__ == f'jepa_tutorial.planning.{home}'
    assert not hasattr(planning, 'nothing')

@pytest.mark.parametrize('name', SHIPPED)
def test_shipped_planners_build_and_plan(name, jepa):
    p = load_planner(name, 'iterations=1', 'first_iterations=1', 'num_samples=20', 'num_elites=4', 'horizon=6')
    e = run_episodes(jepa, sample_tasks(2, fixed=True), p, steps=2)
    assert e.position.shape == (2, 3, 2) and e.position.isfinite().all()

def test_published_planner_keeps_the_published_settings():
    p = published_planner()
    s = p.search
    assert (s.num_samples, s.iterations, s.num_elites, s.horizon, s.sigma, s.temperature) == (200, 20, 20, 90, 2., 200.)
    assert (s.max_norm, s.explore_fraction, s.keep_elites, s.restarts, s.proposal_correlation, s.select, s.unbiased) == (None, 0, 0, 1, 0, 'elite', False)
    assert (p.replan.execute_steps, p.replan.warm_start) == (1, False)
    assert load_planner('plan_published') == p and load_planner('plan_cem') == Planner(CEM())
    assert load_planner('plan_mppi_last') == Planner(MPPI(max_norm=None), options=AgentOptions(reduce='last'))

@pytest.mark.parametrize('kw', [dict(), dict(reduce='last'), dict(distance='euclidean')], ids=str)
@pytest.mark.parametrize('rows', [3, 512])
def test_fast_cost_equals_plain_cost(jepa, kw, rows):
    with torch.no_grad():
        jepa.encoder.norm.weight.uniform_(.5, 2, generator=rng(0)); jepa.encoder.norm.bias.normal_(0, .3, generator=rng(1))
    z0, zg = (F.layer_norm(torch.randn(3, 32, generator=rng(s)), (32,)) for s in (0, 1))
    a = 2*torch.randn(3, 5, 90, 2, generator=rng(2))
    tol = 1e-4 if amp_dtype('cpu') is None else .1
    torch.testing.assert_close(make_cost(jepa, z0, zg, rows=rows, **kw)(a), goal_cost(jepa, z0, zg, a, **kw), rtol=tol, atol=tol)

def test_fast_cost_falls_back_where_it_does_not_fit():
    seed_all(0)
    two = JEPA(ImpalaEncoder(channels=(4, 4, 4), dim=32), GRUPredictor(dim=32, num_layers=2)).requires_grad_(False)
    z0, zg, a = torch.randn(2, 32), torch.randn(2, 32), torch.randn(2, 3, 4, 2)
    assert torch.equal(make_cost(two, z0, zg)(a), goal_cost(two, z0, zg, a))

def test_baselines_and_intervals():
    tasks = sample_tasks(200, seed=7)
    rate = {p.__name__: success_rate(run_policy(p, tasks).success)[0] for p in (random_actions, straight_line, oracle)}
    assert rate['random_actions'] < .1 < rate['straight_line'] + .09 and rate['straight_line'] < .5 and rate['oracle'] == 1
    assert success_rate(run_policy(oracle, tasks, contact='bounce').success)[0] == 1
    for k, n in ((0, 5), (5, 5), (97, 100)):
        p, low, high = success_rate(torch.arange(n) < k)
        assert 0 <= low <= p <= high <= 1

def test_tasks_are_fair():
    t = sample_tasks(5000, seed=11)
    wall, door = t.layout
    assert (wall.min(), wall.max(), door.min(), door.max()) == (20, 44, 10, 54)
    for xy in (t.start, t.goal):
        assert xy.min() >= 6.6 - 1e-4 and xy.max() <= 57.4 + 1e-4 and ((xy[:, 0] - wall).abs() >= 3.6 - 1e-4).all()
    assert ((t.start[:, 0] > wall) != (t.goal[:, 0] > wall)).all() and (t.start - t.goal).norm(dim=1).min() > 4.5
    torch.testing.assert_close(sample_tasks(3, seed=11).start, t.start[:3])

@pytest.mark.parametrize('reduce', ['sum', 'last'])
def test_the_revisit_penalty_by_its_formula(reduce):
    "A plan pays at each step that counts, for every place of its own episode and for none of another."
    E, N, T, m, width = 2, 3, 4, 5, 1.7
    g = rng(3); start, goal, plans, visited, weight = (torch.randn(*size, generator=g) for size in ((E, 2), (E, 2), (E, N, T, 2), (E, m, 2), (E, m)))
    penalty = RevisitPenalty(visited, weight, width)
    penalised, without = goal_cost(_Truth(), start, goal, plans, reduce, penalty=penalty), goal_cost(_Truth(), start, goal, plans, reduce)
    for e in range(E):
        for n in range(N):
            at, paid = start[e].tolist(), 0.
            for t in range(T):
                at = [x + float(a) for x, a in zip(at, plans[e, n, t])]
                if reduce == 'sum' or t == T - 1:
                    paid += sum(float(w)*math.exp(-math.dist(at, p.tolist())**2/(2*width**2)) for w, p in zip(weight[e], visited[e]))
            assert abs(float(penalised[e, n] - without[e, n]) - paid) < 1e-4
    assert torch.equal(penalty.of(slice(1, 2)).visited, visited[1:])

def agent(model, planner, goal_image): return Agent(model, planner.search, planner.replan, goal_image, planner.options)

def test_an_agent_remembers_where_it_planned_but_not_the_goal():
    "One visited state for each look; of no weight where it looks like the goal; a whole number is as good as any other weight."
    t = sample_tasks(3, seed=2)
    tiny = load_planner('plan_revisit', 'revisit_weight=4', 'num_samples=20', 'iterations=1', 'first_iterations=1', 'horizon=5')
    one = agent(_Truth(), tiny, render(t.goal, t.layout))
    for position in (t.start, t.goal, t.start + .5): one.act(render(position, t.layout), 50, rng(0))
    torch.testing.assert_close(one.cost.penalty.visited, torch.stack([t.start, t.goal, t.start + .5], 1), atol=.1, rtol=0)
    assert one.cost.penalty.weight.tolist() == [[4., 0., 4.]]*3

def test_a_revisit_penalty_leads_away_from_where_a_wrong_model_leads():
    "The model believes in no walls; dots that it leads to a wall roam, with the penalty, where they stood without."
    t = sample_tasks(20, seed=5)
    spread = {}
    for name in ('plan_fast', 'plan_revisit'):
        policy = ImagePolicy(agent(_Truth(), load_planner(name, 'num_samples=50', 'num_elites=5'), render(t.goal, t.layout)))
        path = run_policy(policy, t, 100, generator=rng(0)).position
        spread[name] = path[:, 50:].std(1).norm(dim=-1)[(path[:, -1] - t.goal).norm(dim=-1) > 4.5].median()
    assert spread['plan_revisit'] > 1.5*spread['plan_fast']

@pytest.mark.parametrize('distance', ['euclidean', 'squared'])
def test_relative_costs_of_a_longer_embedding_are_the_same(distance):
    "Costs, widths and weights are shares of the distance from start to goal, whatever the length of a model's embeddings."
    class Longer(_Truth):
        def encode(self, obs): return 8*super().encode(obs)
        def predict(self, z, a): return z + 8*a
    t = sample_tasks(4, seed=3)
    tiny = load_planner('plan_relative', f'distance={distance}', 'num_samples=20', 'iterations=1', 'first_iterations=1', 'horizon=5')
    agents = [agent(model, tiny, render(t.goal, t.layout)) for model in (_Truth(), Longer())]
    for position in (t.start, t.start + 1, t.goal):
        a, b = (x.act(render(position, t.layout), 50, rng(0)) for x in agents)
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)
    plans, (one, other) = torch.randn(4, 6, 5, 2, generator=rng(1)), (x.cost for x in agents)
    torch.testing.assert_close(one(plans), other(plans), atol=1e-4, rtol=1e-4)
    assert other.penalty.weight[:, 2].eq(0).all() and other.penalty.weight[:, :2].gt(0).all()
    free = load_planner('plan_relative', f'distance={distance}', 'revisit_weight=0', 'iterations=1', 'first_iterations=1', 'horizon=5')
    first = agent(_Truth(), free, render(t.goal, t.layout))
    first.act(render(t.start, t.layout), 50, rng(0))
    torch.testing.assert_close(first.cost(torch.zeros(4, 1, 5, 2))[:, 0], torch.full((4,), 5.))   # standing still costs one a step

BAD = dict(num_elites=lambda: CEM(num_elites=0), execute_steps=lambda: Replan(execute_steps=0), noise_correlation=lambda: CEM(noise_correlation=1.),
    explore_fraction=lambda: CEM(explore_fraction=2), revisit_weight=lambda: AgentOptions(revisit_weight=-1), revisit_width=lambda: AgentOptions(revisit_width=0), scale=lambda: AgentOptions(scale='own'),
    restarts=lambda: CEM(restarts=0), plan_fast=lambda: load_planner('plan_fst'), reduce=lambda: load_planner('plan_fast', 'reduce=mean'),
    horizon=lambda: load_planner('plan_fast', 'horizon=0'), execute_step=lambda: load_planner('plan_fast', 'execute_step=1'),
    init=lambda: CEM(horizon=3).plan(lambda a: a.sum((-1, -2)), rng(0), 2, init=torch.zeros(1, 3, 2)))

@pytest.mark.parametrize('word', BAD)
def test_bad_settings_are_one_clear_line(word):
    with pytest.raises(ValueError, match=word) as e: BAD[word]()
    assert '\n' not in str(e.value)

# NaN never becomes a plan

NAN, INF = float('nan'), float('inf')
KINDS = dict(mppi=lambda **k: MPPI(20, 3, 4, 5, **k), cem=lambda **k: CEM(20, 3, 4, 5, **k), elite=lambda **k: CEM(20, 3, 4, 5, select='elite', **k), best=lambda **k: MPPI(20, 3, 4, 5, select='best', **k),
             mean=lambda **k: MPPI(20, 3, 4, 5, select='mean', **k), restarts=lambda **k: MPPI(20, 3, 4, 5, restarts=4, **k), explore=lambda **k: CEM(20, 3, 4, 5, explore_fraction=.5, **k),
             kept=lambda **k: MPPI(20, 3, 4, 5, keep_elites=2, proposal_correlation=.5, **k))

def quadratic(a): return a.square().sum((-1, -2))
def spoilt(value, which=slice(1, 2), at=lambda n: True):
    "The cost, but `value` for all plans of the episodes `which`, in the calls that `at` says."
    calls = []
    def cost(a):
        c = quadratic(a); calls.append(0)
        if at(len(calls)): c[which] = value
        return c
    return cost

@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('value', [NAN, INF])
@pytest.mark.parametrize('when', [lambda n: True, lambda n: n == 1, lambda n: n == 3], ids=['always', 'first', 'last'])
def test_a_search_without_a_cost_is_one_error(kind, value, when):
    with pytest.raises(ValueError, match='^cost is NaN or infinite for every plan in episode 1 of 3') as e: KINDS[kind]().plan(spoilt(value, at=when), rng(0), 3)
    assert '\n' not in str(e.value)

@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('value', [NAN, INF])
def test_some_plans_may_have_no_cost(kind, value):
    "And none of them is returned, nor pulls the mean to itself."
    wall = lambda a: quadratic(a).where(a[..., 0].sum(-1) > 0, value)
    rare = lambda a: quadratic(a).where(torch.arange(a.shape[1]) % 10 == 0, value)     # fewer than there are elites
    plan = KINDS[kind]().plan(wall, rng(0), 3)
    assert all(x.isfinite().all() for x in (plan.actions, plan.mean, plan.std)) and (plan.actions[..., 0].sum(-1) > 0).all()
    assert KINDS[kind]().plan(rare, rng(0), 3).actions.isfinite().all()

def test_an_elite_without_a_cost_has_no_weight():
    for search in (CEM(4, 1, 3, 2), MPPI(4, 1, 3, 2)):
        up = search.update(torch.arange(16.).view(1, 4, 2, 2), torch.tensor([[NAN, 1., INF, INF]]))
        assert torch.equal(up.mean[0], torch.arange(4., 8).view(2, 2)) and up.weights[0].tolist() == [1., 0., 0.]

def test_a_restart_without_a_cost_is_passed_over():
    def cost(a):      # [E,R·N,T,A] -> the first of two searches of episode 0 finds nothing
        c = quadratic(a); c[0, :10] = NAN
        return c
    for select in ('mean', 'elite', 'best'):
        plan = MPPI(20, 3, 4, 5, restarts=2, select=select).plan(cost, rng(0), 2)
        assert plan.actions.isfinite().all() and plan.mean.isfinite().all()

@pytest.mark.parametrize('name', ['init', 'first'])
def test_what_a_search_starts_from_is_finite(name):
    x = torch.zeros(3, 5, 2); x[2, 1] = NAN
    with pytest.raises(ValueError, match=f'^{name} holds NaN .* episode 2 of 3'): CEM(20, 3, 4, 5).plan(quadratic, rng(0), 3, **{name: x if name == 'init' else x[:, None]})
    for sigma in (NAN, INF, 0.):
        with pytest.raises(ValueError, match='^init_sigma is'): CEM(20, 3, 4, 5).plan(quadratic, rng(0), 3, init=torch.zeros(3, 5, 2), init_sigma=sigma)

@pytest.mark.parametrize('name', [*SHIPPED, 'plan_stuck_noise', 'plan_revisit'])
@pytest.mark.parametrize('part', ['encoder.norm.weight', 'predictor.cells.0.weight_hh', 'predictor.cells.0.bias_ih'])
def test_a_spoilt_model_is_said_to_be_one(jepa, name, part):
    "By every planner, in the same words, whatever weight it is."
    import copy
    bad = copy.deepcopy(jepa); bad.get_parameter(part).view(-1)[0] = NAN
    small = load_planner(name, 'num_samples=20', 'num_elites=4', 'iterations=2', 'horizon=6')
    with pytest.raises(ValueError, match='cost is NaN or infinite for every plan.* in episode 0 of 2'): run_episodes(bad, sample_tasks(2, seed=0), small, 2)

@pytest.mark.parametrize('options', [dict(), dict(revisit_weight=1.), dict(stuck_noise=True), dict(scale='relative'), dict(scale='relative', revisit_weight=1., distance='euclidean')])
@pytest.mark.parametrize('where', ['goal', 'start'])
def test_an_image_that_encodes_to_nan(where, options):
    class Model:
        def encode(self, obs): return obs.float().mean((-1, -2))
        def predict(self, z, a): return z + a
    good = torch.rand(3, 2, 5, 5); bad = good.clone(); bad[1, 0, 0, 0] = NAN
    with pytest.raises(ValueError, match='cost is NaN .* episode 1 of 3'):
        Agent(Model(), CEM(20, 2, 4, 5), Replan(), bad if where == 'goal' else good, AgentOptions(**options)).act(bad if where == 'start' else good, 9, rng(0))

def test_a_policy_that_answers_nan():
    policy = lambda position, *_: torch.where(torch.arange(4)[:, None, None] == 2, NAN, position[:, None])
    with pytest.raises(ValueError, match="policy's answer holds NaN .* episode 2 of 4"): run_policy(policy, sample_tasks(4), 3)
