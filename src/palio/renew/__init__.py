"""How a model is renewed, and how a challenger takes over, step by step.

`plan` is pure: what was seen and a policy in, a request to train or the reason for none out; `write_plan` and
`write_renewal` keep it in the ledger, and `palio.flow` carries it out.

`judge` is pure: a rollout, its state and what was seen in, the next state and a sentence out. `watch_once` reads the
prediction log and the ledger, asks `judge`, and writes each step exactly once, however many watchers there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from palio.core.doors import door

if TYPE_CHECKING:
    from palio.renew.judging import judge as judge
    from palio.renew.observing import StoredLog as StoredLog
    from palio.renew.planning import FreshLabels as FreshLabels
    from palio.renew.planning import Planned as Planned
    from palio.renew.planning import RenewalPolicy as RenewalPolicy
    from palio.renew.planning import next_due as next_due
    from palio.renew.planning import occasion as occasion
    from palio.renew.planning import plan as plan
    from palio.renew.renewals import RENEWAL as RENEWAL
    from palio.renew.renewals import RenewalStanding as RenewalStanding
    from palio.renew.renewals import StepKind as StepKind
    from palio.renew.renewals import renewal_standing as renewal_standing
    from palio.renew.renewals import withdraw as withdraw
    from palio.renew.renewals import write_plan as write_plan
    from palio.renew.renewals import write_renewal as write_renewal
    from palio.renew.rollouts import RolloutControl as RolloutControl
    from palio.renew.rollouts import RolloutPlan as RolloutPlan
    from palio.renew.rollouts import Standing as Standing
    from palio.renew.rollouts import act as act
    from palio.renew.rollouts import approved_decision as approved_decision
    from palio.renew.rollouts import read_rollout as read_rollout
    from palio.renew.rollouts import standing as standing
    from palio.renew.rollouts import start as start
    from palio.renew.rollouts import usual_plan as usual_plan
    from palio.renew.telling import loop_events as loop_events
    from palio.renew.telling import loop_story as loop_story
    from palio.renew.watching import watch_once as watch_once
else:
    __getattr__, __dir__, __all__ = door(
        __name__,
        {
            "judging": "judge",
            "observing": "StoredLog",
            "planning": "FreshLabels Planned RenewalPolicy next_due occasion plan",
            "renewals": "RENEWAL RenewalStanding StepKind renewal_standing withdraw write_plan write_renewal",
            "rollouts": "RolloutControl RolloutPlan Standing act approved_decision read_rollout standing start "
            "usual_plan",
            "telling": "loop_events loop_story",
            "watching": "watch_once",
        },
    )
