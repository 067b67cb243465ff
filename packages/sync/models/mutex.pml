/*
 * The mutex of mutex.ts: processes that may die at any step, and newcomers with the numbers of dead ones.
 *
 * A token is a process number with a nonce. There are fewer tokens than processes that ever live, so that tokens
 * are used again. `alive[t]` is the byte lock of token t: the kernel takes it back when its holder dies. The lock is
 * `word`: 0, or the token of its owner, plus WAITERS. `who` and `told` are of the proof only.
 *
 * Checked: never two owners; a death while holding is told to exactly one, before anybody else may hold the lock;
 * nobody waits for ever.
 *
 * -DBUG_OWNER_LATER   the claim does not name the owner, who writes its token afterwards
 * -DBUG_NO_SCAN       a newcomer takes a token without looking whether the word still has it
 * -DBUG_LOOK_ONLY     who takes over only looks whether the dead one's byte is free, and does not hold it meanwhile
 */

#define TOKENS 3      /* 1 to 3; 0 is nobody */
#define PROCESSES 3   /* at once */
#define DEATHS 2      /* of all of them; whoever dies begins again, as a newcomer */
#define ROUNDS 1      /* of locking, in a life */
#define WAITERS 8
#define CLAIMED 7     /* an owner without a name, in the broken variant only */

byte word = 0;
bool alive[TOKENS + 1];

/* Of the proof: how many hold the lock, how many deaths while holding have not been told, and how many there were. */
byte holders = 0;
byte untold = 0;
byte deaths = 0;
/* For whom a futex is slept on: bit by bit. Waking is clearing it. */
bool asleep[PROCESSES];

/* The kernel wakes one of those who sleep, if there is one. */
inline wakeOne() {
  wakeIndex = 0;
  do
  :: wakeIndex < PROCESSES && !asleep[wakeIndex] -> wakeIndex++
  :: wakeIndex < PROCESSES && asleep[wakeIndex] -> break
  :: wakeIndex < PROCESSES && asleep[wakeIndex] -> wakeIndex++
  :: wakeIndex == PROCESSES -> break
  od;
  if :: wakeIndex < PROCESSES -> asleep[wakeIndex] = false :: else fi
}

/* A death: the kernel drops the bytes, that of the own token and one that is held for a take-over. */
#define DIE \
  atomic { \
    deaths < DEATHS -> deaths++; \
    alive[own] = false; \
    if :: taking != 0 -> alive[taking] = false; taking = 0 :: else fi; \
    if :: holding -> holders--; holding = false; untold++ :: else fi; \
    own = 0; seen = 0; told = false; contended = 0; \
    goto dead \
  }

#define STEP(body) if :: body :: DIE fi

proctype Process(byte id) {
  byte own = 0, seen = 0, taking = 0, rounds = 0, contended = 0;
  byte wakeIndex = 0;
  bool holding = false, told = false;

dead:
  rounds = 0;
  asleep[id] = false;

choose:
  /* The byte first, then the look at the word. */
  if
  :: atomic { !alive[1] -> alive[1] = true; own = 1 }
  :: atomic { !alive[2] -> alive[2] = true; own = 2 }
  :: atomic { !alive[3] -> alive[3] = true; own = 3 }
  fi;
#ifndef BUG_NO_SCAN
  if
  :: atomic { (word & 7) == own && word != 0 -> alive[own] = false; own = 0; goto choose }
  :: atomic { (word & 7) != own -> skip }
  :: DIE
  fi;
#endif

lock:
  /* compareExchange(0 -> own) */
  if
  :: atomic {
      word == 0 ->
#ifdef BUG_OWNER_LATER
      word = CLAIMED;
#else
      word = own | contended;
#endif
      holders++; holding = true;
      assert(holders == 1);
      assert(untold == 0);
      contended = 0;
      seen = 0
    }
#ifdef BUG_OWNER_LATER
    ; STEP(atomic { word = own | (word & WAITERS) });
#endif
    goto critical
  :: atomic { word != 0 -> seen = word }
  :: DIE
  fi;

  /* Is its owner alive? */
  if
  :: atomic { (seen & 7) == CLAIMED || alive[seen & 7] -> goto wait }
  :: atomic {
      (seen & 7) != CLAIMED && !alive[seen & 7] ->
#ifndef BUG_LOOK_ONLY
      /* Taking its byte is the look. */
      alive[seen & 7] = true; taking = seen & 7
#endif
    }
  :: DIE
  fi;

  /* compareExchange(seen -> own) */
  if
  :: atomic {
      word == seen ->
      word = own | (seen & WAITERS) | contended;
      contended = 0;
      holders++; holding = true; told = true;
      assert(holders == 1);
      assert(untold == 1);
      untold = 0;
      seen = 0
    }
  :: atomic { word != seen -> seen = 0 }
  :: DIE
  fi;

  /* Gives the dead one's byte back. */
  STEP(atomic { if :: taking != 0 -> alive[taking] = false; taking = 0 :: else fi });
  if
  :: holding -> goto critical
  :: else -> goto lock
  fi;

wait:
  /* Says that somebody waits, then sleeps if the word is still the same. */
  contended = WAITERS;
  if
  :: atomic { word == seen -> word = seen | WAITERS; seen = seen | WAITERS }
  :: atomic { word != seen -> seen = 0; goto lock }
  :: DIE
  fi;
  if
  :: atomic { word == seen -> asleep[id] = true }
  :: atomic { word != seen -> seen = 0; goto lock }
  :: DIE
  fi;
  /* Woken, or the time to look has come: that its owner is dead, or the word is not the same. */
  if
  :: atomic { !asleep[id] -> seen = 0 }
  :: atomic { word != seen || ((seen & 7) != CLAIMED && !alive[seen & 7]) -> asleep[id] = false; seen = 0 }
  :: DIE
  fi;
  goto lock;

critical:
  assert(holders == 1);
  STEP(told = false);

  /* compareExchange(own -> 0), or with waiters a store, and waking. */
  if
  :: atomic {
      (word & WAITERS) == 0 ->
      assert(word == own);
      word = 0; holders--; holding = false
    }
  :: atomic {
      (word & WAITERS) != 0 ->
      assert((word & 7) == own);
      word = 0; holders--; holding = false;
      seen = 1
    }
  :: DIE
  fi;
  if
  :: seen == 1 -> seen = 0; STEP(atomic { wakeOne() })
  :: else
  fi;

  rounds++;
  if
  :: rounds < ROUNDS -> goto lock
  :: else -> alive[own] = false
  fi
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
