"""Run the failed episodes of the page on failures again, and store their trajectories.

The tasks are validation tasks. The rows that say which of them failed come first:
jepa_reproduce --budget full --only '*-stop-validation'; then python scripts/failures.py"""
import json, sys
from pathlib import Path
import torch
from jepa_tutorial.planning.agent import load_planner
from jepa_tutorial.planning.episodes import run_episodes, Tasks
from jepa_tutorial.tools.devices import rng
from jepa_tutorial.tools.files import RESULTS, write_file
from jepa_tutorial.tools.reproduce import load_results
from jepa_tutorial.tools.rows import Row
from jepa_tutorial.tools.tasks import load_tasks
from jepa_tutorial.training.checkpoints import load_pretrained
from jepa_tutorial.world.two_rooms import Layout

SEED = 77           # of the second runs; the rows have others
LATE = 400, 120     # tasks, and actions after which a dot that has not arrived is late

def row(variant, planner): return Row('full', 'random_wall', variant, planner=planner, task_set='validation')

def some(tasks, which):
    "The tasks with these numbers."
    return Tasks(Layout(*(v[which] for v in tasks.layout)), tasks.start[which], tasks.goal[which])

def second_run(model, tasks, numbers, planner, steps=200, wanted='success'):
    "Each task once more: its trajectory (every fourth position), and whether it lacks what is `wanted`."
    numbers = torch.as_tensor(numbers)
    found = []
    for i, part in enumerate(numbers.split(20)):
        these = some(tasks, part)
        e = run_episodes(model.jepa, these, load_planner(planner), steps, generator=rng(SEED + i))
        for k, task in enumerate(part.tolist()):
            path = [[round(v, 1) for v in p] for p in e.position[k, ::4].tolist()]
            found.append(dict(task=task, wall_x=int(these.layout.wall_x[k]), door_y=int(these.layout.door_y[k]),
                              goal=[round(v, 1) for v in these.goal[k].tolist()], failed=not bool(getattr(e, wanted)[k]), path=path))
    return found

def late(model, tasks):
    "Where dots are that have not arrived after some actions."
    n, steps = LATE
    runs = second_run(model, tasks, range(n), 'plan_fast', steps, 'reached')
    return dict(rooms=n, actions=steps, episodes=[r for r in runs if r['failed']])

def caught(model, tasks, failed, total):
    "The tasks in which stuck detection failed: again, and with the penalty for visited states."
    again = {k: second_run(model, tasks, failed, f'plan_{k}') for k in ('stuck_noise', 'revisit')}
    pairs = zip(again['stuck_noise'], again['revisit'])
    part = lambda r: dict(path=r['path'], failed=r['failed'])
    return dict(rooms=total, episodes=[{k: a[k] for k in ('task', 'wall_x', 'door_y', 'goal')} | dict(stuck_noise=part(a), revisit=part(b)) for a, b in pairs])

def main(out=RESULTS/'failures.json'):
    results, tasks = load_results(RESULTS, budgets=['full']), load_tasks('random_wall_validation')
    need = dict(before=row('full', 'fast'), after=row('refined', 'fast'), caught=row('full', 'stuck_noise'))
    missing = [r.name for r in need.values() if not results[r]]
    if missing: sys.exit(f'not measured yet: {", ".join(missing)}')
    failed = {k: results[r]['failed'] for k, r in need.items()}
    model, refined = load_pretrained('random_wall_published', 'cpu'), load_pretrained('random_wall', 'cpu')
    study = dict(tasks='random_wall_validation', before=second_run(model, tasks, failed['before'], 'plan_fast'),
                 after=second_run(refined, tasks, failed['after'], 'plan_fast'), late=late(refined, tasks),
                 caught=caught(model, tasks, failed['caught'], results[need['caught']]['episodes']))
    write_file(Path(out), (json.dumps(study, separators=(',', ':')) + '\n').encode())

if __name__ == '__main__': main()
