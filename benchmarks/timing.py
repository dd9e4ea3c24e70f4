"""Timing that a noisy machine cannot fool much: in turns, and as ratios."""

import statistics
import time


def interleaved(functions, rounds=15, warm_up=2, clock=time.perf_counter):
    """Times functions in turns, so that a slow moment falls on all of them.

    Args:
        functions: `{name: callable}`.
        rounds: Turns counted.
        warm_up: Turns before that.
        clock: What gives the time in seconds.

    Returns:
        `{name: [seconds, ...]}`, one entry a round.
    """
    times = {name: [] for name in functions}
    for turn in range(warm_up + rounds):
        for name, function in functions.items():
            start = clock()
            function()
            if turn >= warm_up:
                times[name].append(clock() - start)
    return times


def report(title, times, ours, per=1, unit="image", least=None):
    """Prints median times, and the median over rounds of theirs / ours.

    Args:
        title: What is measured.
        times: As `interleaved` gives them.
        ours: Which entry the others are divided by.
        per: Units of work in a call.
        unit: What a unit is.
        least: `{name: ratio}` that is claimed.

    Returns:
        Whether every claim holds.
    """
    print(f"\n{title}")
    holds = True
    for name, values in times.items():
        median = statistics.median(values) / per * 1e3
        line = f"  {name:<34}{median:9.2f} ms/{unit}"
        if name != ours:
            pairs = zip(values, times[ours], strict=True)
            ratio = statistics.median(theirs / mine for theirs, mine in pairs)
            line += f"   {ratio:6.1f}x ours"
            if least and name in least:
                good = ratio >= least[name]
                holds &= good
                line += f"   claim: at least {least[name]:g}x, "
                line += "holds" if good else "DOES NOT HOLD"
        print(line)
    return holds
