/*
 * The events of event.ts: waiters of which one may be killed at any step, and setters likewise.
 *
 * `count` is odd while the event is set. `sleepers` counts those who sleep on it, `asleep` is the kernel's list of
 * them: comparing the word and going to sleep is one step there. `manual` is the count of another event, which is set
 * and at once reset. Looking again after a while (a slice) is possible only once somebody has been killed: without
 * deaths the wake-ups have to be enough.
 *
 * Checked: each set of the automatic event lets exactly one go on; nobody sleeps for ever beside an event that is set;
 * who waited for the manual one when it was set goes on.
 *
 * -DBUG_LOOK_FIRST   who sets looks whether somebody sleeps before it sets, not after
 * -DBUG_TWO_STEPS    who waits sees that the event is set, and resets it in another step
 * -DBUG_LEVEL_ONLY   who waits for the manual event goes on only if it finds it set
 */

#define WAITERS 2

byte count = 0;
byte sleepers = 0;
bool asleep[WAITERS];
/* Whether somebody will be killed at some step, or nobody ever; and whether that has happened. */
bool mortal = false, killed = false;

/* Of the proof. */
byte sets = 0, taken = 0, waiting = WAITERS;

/* The manual event. */
byte manual = 0;
byte manualSleepers = 0;
bool manualAsleep = false;
bool manualWaits = false;

#define MAY_DIE (mortal && !killed)

proctype Waiter(byte id) {
  byte seen = 0;
  bool counted = false;

again:
  /* compareExchange(odd -> + 1) */
#ifdef BUG_TWO_STEPS
  seen = count;
  if
  :: (seen & 1) == 1 -> count = seen + 1; taken++; goto done
  :: else
  fi;
#else
  if
  :: atomic { (count & 1) == 1 -> count++; taken++; goto done }
  :: atomic { (count & 1) == 0 -> seen = count }
  :: atomic { MAY_DIE -> killed = true; goto dead }
  fi;
#endif

  if
  :: atomic { sleepers++; counted = true }
  :: atomic { MAY_DIE -> killed = true; goto dead }
  fi;
  /* futex: compares and sleeps. */
  if
  :: atomic { count == seen -> asleep[id] = true }
  :: atomic { count != seen -> goto leave }
  :: atomic { MAY_DIE -> killed = true; goto dead }
  fi;
  if
  :: atomic { !asleep[id] -> skip }
  :: atomic { killed && count != seen -> asleep[id] = false }
  :: atomic { MAY_DIE -> killed = true; asleep[id] = false; goto dead }
  fi;

leave:
  atomic { sleepers--; counted = false };
  goto again;

dead:
done:
  waiting--
}

proctype Setter() {
  bool somebody = false;
  byte each = 0;

next:
  /* Until everybody has gone on, one set after the other. */
  if
  :: atomic { waiting == 0 -> goto done }
  :: atomic { waiting > 0 && (count & 1) == 0 -> skip }
  fi;
#ifdef BUG_LOOK_FIRST
  somebody = sleepers > 0;
#endif
  if
  :: atomic { (count & 1) == 0 -> count++; sets++; assert(taken + 1 == sets) }
  :: atomic { (count & 1) == 1 -> goto next }
  fi;
#ifndef BUG_LOOK_FIRST
  if
  :: atomic { somebody = sleepers > 0 }
  :: atomic { MAY_DIE -> killed = true; goto next } /* Another goes on in its place. */
  fi;
#endif
  if
  :: !somebody -> goto next
  :: somebody
  fi;
  /* The kernel wakes one, if there is one. */
  if
  :: atomic {
      each = 0;
      do
      :: each < WAITERS && !asleep[each] -> each++
      :: else -> break
      od;
      if :: each < WAITERS -> asleep[each] = false :: else fi
    }
  :: atomic { MAY_DIE -> killed = true }
  fi;
  goto next;

done:
  assert(taken <= sets)
}

proctype ManualWaiter() {
  byte start = 0, seen = 0;

  atomic { start = manual; manualWaits = true };
again:
  seen = manual;
  if
#ifdef BUG_LEVEL_ONLY
  :: (seen & 1) == 1 -> goto done
#else
  :: (seen & 1) == 1 || seen != start -> goto done
#endif
  :: else
  fi;
  manualSleepers++;
  if
  :: atomic { manual == seen -> manualAsleep = true }
  :: atomic { manual != seen -> goto leave }
  fi;
  !manualAsleep;
leave:
  manualSleepers--;
  goto again;
done:
  skip
}

proctype Pulse() {
  manualWaits;
  manual++;
  if
  :: manualSleepers > 0 -> manualAsleep = false
  :: else
  fi;
  manual++
}

init {
  byte each = 0;
  atomic {
    if :: mortal = true :: mortal = false fi;
    do
    :: each < WAITERS -> run Waiter(each); each++
    :: else -> break
    od;
    run Setter();
    run ManualWaiter();
    run Pulse()
  }
}
