"""Gap (reuse distance): what was used at the shortest distance stays."""

from sos_gym.policy.words import Policy, age, kernel


@kernel
def claim(my, entity):
    return -float(max(entity.last_gap, age(my, entity))), 0.0


GAP = Policy(
    name="gap",
    aliases=("reuse_distance",),
    summary="the shortest max(last gap, age) stays",
    on_cores="short burst first, judged by the last burst, or the present one when that is longer",
    on_frames="least estimated time to the next use",
    reads="last_gap; age: ns since last use (pages), ns of service in this burst (threads)",
    sight="gaps are those between sightings: short ones are as long as the harvests lie apart",
    source="sos_gym; on pages close to LIRS's inter-reference recency (Jiang, Zhang, SIGMETRICS 2002)",
    claim=claim,
)
