/*
 * openOrInitialize: processes that start together in memory that is all zero, of which some may be killed at any step.
 *
 * `mark` says what is there, `state` is its other words: 0 before somebody has made it, 1 from then on, and each that
 * uses it adds 1. `turn` is the byte lock of who may make it, which the kernel takes back when its holder dies.
 *
 * Checked: nobody uses what is not made; what somebody uses is not made once more; nobody waits for ever.
 *
 * -DBUG_NO_TURN          nobody takes turns
 * -DBUG_NO_SECOND_LOOK   who gets its turn does not look whether it was made meanwhile
 * -DBUG_MARK_FIRST       the mark is written before the other words
 */

#define PROCESSES 3
#define DEATHS 2
#define NOBODY 255

bool mark = false;
byte state = 0;
byte turn = NOBODY;

/* Of the proof. */
byte deaths = 0;
byte used = 0;

#define DIE \
  atomic { \
    deaths < DEATHS -> deaths++; \
    if :: turn == id -> turn = NOBODY :: else fi; \
    goto done \
  }

#define STEP(body) if :: body :: DIE fi

proctype Process(byte id) {
  if
  :: atomic { mark -> goto use }
  :: atomic { !mark -> skip }
  :: DIE
  fi;

#ifndef BUG_NO_TURN
  STEP(atomic { turn == NOBODY -> turn = id });
#endif
#ifndef BUG_NO_SECOND_LOOK
  if
  :: atomic { mark -> goto leave }
  :: atomic { !mark -> skip }
  :: DIE
  fi;
#endif

  STEP(mark = false);
#ifdef BUG_MARK_FIRST
  STEP(mark = true);
#endif
  STEP(state = 0);
  STEP(state = 1);
#ifndef BUG_MARK_FIRST
  STEP(mark = true);
#endif

leave:
#ifndef BUG_NO_TURN
  STEP(atomic { assert(turn == id); turn = NOBODY });
#endif
use:
  STEP(atomic { assert(mark && state == used + 1); state++; used++ });
done:
  skip
}

init {
  byte each = 0;
  atomic {
    do
    :: each < PROCESSES -> run Process(each); each++
    :: else -> break
    od
  }
}
