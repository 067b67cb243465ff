/*
 * The lock of rw_lock.ts: readers and writers of which some may be killed at any step.
 *
 * `word` is 0, or names a writer, with TENTATIVE while it waits for those who read; `slot` is the row of readers. That
 * a dead one's word is taken over by one, and how who waits is woken, is mutex.pml's: here a take-over is one step, and
 * who waits sees each change. A writer may also give up while it waits. `died` says whether what the lock guards is as
 * a dead writer left it; it and what follows are of the proof only.
 *
 * Checked: nobody writes while others read or write; nobody reads what is half written; a death is told if and only if
 * the dead one may have touched something; nobody waits for ever.
 *
 * -DBUG_NO_BIT           a writer that waits for readers is not told from one that writes
 * -DBUG_BIT_AGAIN        who takes over from a writer that died writing waits for readers as if nothing were abandoned
 * -DBUG_GIVE_UP_FREE     who gives up makes the lock free, also one that it had taken over
 * -DBUG_NO_SECOND_LOOK   a reader does not look again for a writer once it has its slot
 */

#define WRITERS 2
#define READERS 2
#define DEATHS 2
#define ROUNDS 2      /* of each writer */
#define TENTATIVE 8
#define ABANDONED 7   /* nobody has it, and what it guards is as a dead writer left it */

byte word = 0;
bool slot[READERS];
bool writerAlive[WRITERS + 1];
bool readerAlive[READERS];

byte deaths = 0;
byte reading = 0, writing = 0;
bool torn = false, died = false;

#define OWNER_DEAD (word != 0 && word != ABANDONED && !writerAlive[word & 7])

#define DIE_WRITING \
  atomic { \
    deaths < DEATHS -> deaths++; \
    writerAlive[id] = false; \
    if :: confirmed -> writing--; died = true :: else fi; \
    goto done \
  }

#define DIE_READING \
  atomic { \
    deaths < DEATHS -> deaths++; \
    readerAlive[id] = false; \
    if :: inside -> reading-- :: else fi; \
    goto done \
  }

proctype Writer(byte id) {
  bool told = false, confirmed = false;
  byte each = 0, rounds = 0;

claim:
  if
  :: atomic {
      word == 0 ->
#ifdef BUG_NO_BIT
      word = id;
#else
      word = id | TENTATIVE;
#endif
      told = false
    }
  :: atomic {
      OWNER_DEAD ->
      told = (word & TENTATIVE) == 0;
#ifdef BUG_BIT_AGAIN
      word = id | TENTATIVE
#else
      word = id | (word & TENTATIVE)
#endif
    }
  :: atomic { word == ABANDONED -> word = id; told = true }
  :: DIE_WRITING
  fi;
  assert(told == died);

  each = 0;
  do
  :: each < READERS ->
    if
    :: atomic { !slot[each] -> each++ }
    :: atomic { slot[each] && !readerAlive[each] -> slot[each] = false; each++ }
    :: atomic {
        slot[each] ->
#ifdef BUG_GIVE_UP_FREE
        word = 0;
#else
        if :: told -> word = ABANDONED :: else -> word = 0 fi;
#endif
        goto round
      }
    :: DIE_WRITING
    fi
  :: else -> break
  od;

  if
  :: atomic {
      word = word & 7;
      assert(word == id);
      confirmed = true; writing++;
      assert(writing == 1 && reading == 0)
    }
  :: DIE_WRITING
  fi;
  if
  :: told -> if :: atomic { torn = false; died = false } :: DIE_WRITING fi
  :: else
  fi;
  assert(!torn);
  if :: torn = true :: DIE_WRITING fi;
  if :: torn = false :: DIE_WRITING fi;
  if
  :: atomic { assert(word == id && reading == 0); confirmed = false; writing--; word = 0 }
  :: DIE_WRITING
  fi;

round:
  rounds++;
  if
  :: rounds < ROUNDS -> goto claim
  :: else
  fi;
done:
  skip
}

proctype Reader(byte id) {
  bool inside = false;

look:
  if
  :: atomic { word == 0 -> skip }
  :: atomic { OWNER_DEAD && (word & TENTATIVE) != 0 -> word = 0; goto look }
  :: atomic { OWNER_DEAD && (word & TENTATIVE) == 0 -> assert(died); goto done }
  :: atomic { word == ABANDONED -> assert(died); goto done }
  :: DIE_READING
  fi;

  if :: slot[id] = true :: DIE_READING fi;
  if
#ifdef BUG_NO_SECOND_LOOK
  :: atomic { reading++; inside = true }
#else
  :: atomic { word == 0 -> reading++; inside = true }
  :: atomic { word != 0 -> slot[id] = false; goto look }
#endif
  :: DIE_READING
  fi;

  if
  :: atomic { assert(writing == 0 && !torn && !died) }
  :: DIE_READING
  fi;
  if
  :: atomic { reading--; inside = false; slot[id] = false }
  :: DIE_READING
  fi;
done:
  skip
}

init {
  byte each = 0;
  atomic {
    do
    :: each < READERS -> readerAlive[each] = true; run Reader(each); each++
    :: else -> break
    od;
    each = 1;
    do
    :: each <= WRITERS -> writerAlive[each] = true; run Writer(each); each++
    :: else -> break
    od
  }
}
