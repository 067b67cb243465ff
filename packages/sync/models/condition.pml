/*
 * The condition of condition.ts: consumers that wait for an item under a mutex, of which one may be killed at any
 * step, and producers that make one each.
 *
 * The mutex is one step, and a dead owner's is free: mutex.pml is about that. `notified` counts notifications,
 * `sleepers` those who sleep until it changes, `asleep` is the kernel's list of them: comparing the word and going to
 * sleep is one step there. Looking again after a while (a slice) is possible only once somebody has been killed:
 * without deaths the wake-ups have to be enough.
 *
 * Checked: nobody sleeps for ever while there is an item for it, also where the one was killed that a notification
 * had woken; nobody touches the items without the mutex.
 *
 * -DBUG_COUNT_LATER   who waits looks at the count of notifications after it has given the mutex up
 * -DBUG_LOOK_FIRST    who notifies looks whether somebody sleeps before it counts, not after
 * -DBUG_NO_LOCK       who notifies has changed the items without the mutex
 */

#define CONSUMERS 2
#define PRODUCERS 2
#define NOBODY 255

byte owner = NOBODY;
byte items = 0;
byte notified = 0;
byte sleepers = 0;
bool asleep[CONSUMERS];
/* Whether somebody will be killed at some step, or nobody ever; and whether that has happened. */
bool mortal = false, killed = false;

#define DIE \
  atomic { \
    mortal && !killed -> \
    killed = true; asleep[id] = false; \
    if :: owner == id -> owner = NOBODY :: else fi; \
    goto done \
  }

proctype Consumer(byte id) {
  byte seen = 0;

  if
  :: atomic { owner == NOBODY -> owner = id }
  :: DIE
  fi;

again:
  assert(owner == id);
  if
  :: atomic { items > 0 -> items--; owner = NOBODY; goto done }
  :: atomic { items == 0 -> skip }
  :: DIE
  fi;

#ifndef BUG_COUNT_LATER
  seen = notified;
#endif
  if
  :: atomic { assert(owner == id); owner = NOBODY }
  :: DIE
  fi;
#ifdef BUG_COUNT_LATER
  seen = notified;
#endif
  if
  :: notified != seen -> goto lock
  :: notified == seen
  :: DIE
  fi;
  sleepers++;
  /* futex: compares and sleeps. */
  if
  :: atomic { notified == seen -> asleep[id] = true }
  :: atomic { notified != seen -> goto leave }
  :: DIE
  fi;
  if
  :: atomic { !asleep[id] -> skip }
  :: atomic { killed && notified != seen -> asleep[id] = false }
  :: DIE
  fi;

leave:
  sleepers--;
lock:
  if
  :: atomic { owner == NOBODY -> owner = id }
  :: DIE
  fi;
  goto again;

done:
  skip
}

proctype Producer(byte id) {
  bool somebody = false;
  byte each = 0;

#ifdef BUG_NO_LOCK
  /* As items++ is where nobody holds it. */
  byte had = items;
  items = had + 1;
#else
  atomic { owner == NOBODY -> owner = id };
  items++;
  assert(owner == id);
  owner = NOBODY;
#endif

#ifdef BUG_LOOK_FIRST
  somebody = sleepers > 0;
#endif
  notified++;
#ifndef BUG_LOOK_FIRST
  somebody = sleepers > 0;
#endif
  if
  :: somebody ->
    /* The kernel wakes one, if there is one. */
    atomic {
      do
      :: each < CONSUMERS && !asleep[each] -> each++
      :: else -> break
      od;
      if :: each < CONSUMERS -> asleep[each] = false :: else fi
    }
  :: else
  fi
}

init {
  byte each = 0;
  atomic {
    if :: mortal = true :: mortal = false fi;
    do
    :: each < CONSUMERS -> run Consumer(each); each++
    :: else -> break
    od;
    each = 0;
    do
    :: each < PRODUCERS -> run Producer(CONSUMERS + each); each++
    :: else -> break
    od
  }
}
