"""Attained service: who has had least so far comes first (foreground-background)."""

from sos_gym.policy.lists.turns import hold, victim
from sos_gym.policy.words import Policy, kernel, log, turn


@kernel
def claim(my, entity):
    """A thread's service is the ns of its burst, a page's the ns in its frame: then the two turns agree."""
    strength, order = turn(my, entity)
    if my.use_is_credit > 0:
        return strength, order
    return -float(entity.attained), strength


ATTAINED = Policy(
    name="attained",
    aliases=("las", "fb", "foreground_background"),
    summary="who has had least service so far comes first",
    on_cores="least attained service of this burst first, turns among equals; a waker preempts whoever has worked",
    on_frames="FIFO, exact: a page's service is its time in the frame, and all are served at the same rate",
    reads="attained; want_ns, hold_ns, turn_over",
    sight="counts sightings as uses",
    not_to_be_confused="`fair_share`, which counts the service of a whole life: here every burst begins at 0",
    source="Kleinrock, Queueing Systems II, 1976, ch. 4; Nuyens, Wierman, Performance Evaluation 65, 2008",
    claim=claim,
    hold=hold,
    victim=victim,
    books=(log.LOG,),
)
