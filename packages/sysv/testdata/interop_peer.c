/* Does with System V objects what standard input says, a line at a time, and answers in JSON; interop_peer.ts
 * starts it and lists the commands. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

union semun {
  int val;
  struct semid_ds *buf;
  unsigned short *array;
};

static char line[1 << 16];
static char *words[64];
static int count;

static struct {
  long type;
  unsigned char bytes[8192];
} message;

static int queue, set, memory;
static unsigned char *view;

static int is(const char *object, const char *verb) {
  return strcmp(words[0], object) == 0 && strcmp(words[1], verb) == 0;
}

static key_t key(void) { return (key_t)strtol(words[2], NULL, 10); }

static size_t from_hex(const char *hex, unsigned char *bytes) {
  size_t length = 0;
  if (strcmp(hex, "-") == 0) return 0;
  for (; hex[2 * length] != '\0'; length++) sscanf(hex + 2 * length, "%2hhx", &bytes[length]);
  return length;
}

static void print_hex(const unsigned char *bytes, size_t length) {
  for (size_t i = 0; i < length; i++) printf("%02x", bytes[i]);
}

static void answer(int result) {
  if (result == -1) printf("{\"error\":\"%s\"}\n", strerror(errno));
  else printf("%d\n", result);
}

static void print_owner(const struct ipc_perm *perm) {
  printf("{\"uid\":%u,\"gid\":%u,\"cuid\":%u,\"cgid\":%u,\"mode\":%u,", perm->uid, perm->gid, perm->cuid,
         perm->cgid, perm->mode);
}

static void receive(long type, int flags) {
  ssize_t length = msgrcv(queue, &message, sizeof message.bytes, type, flags);
  if (length == -1) {
    answer(-1);
    return;
  }
  printf("{\"type\":%ld,\"hex\":\"", message.type);
  print_hex(message.bytes, (size_t)length);
  printf("\"}\n");
}

static void queue_command(void) {
  if (is("queue", "create")) answer(queue = msgget(key(), IPC_CREAT | IPC_EXCL | (int)strtol(words[3], NULL, 8)));
  else if (is("queue", "open")) answer(queue = msgget(key(), 0));
  else if (is("queue", "send")) {
    message.type = strtol(words[2], NULL, 10);
    answer(msgsnd(queue, &message, from_hex(words[3], message.bytes), 0));
  } else if (is("queue", "receive")) receive(strtol(words[2], NULL, 10), 0);
  else if (is("queue", "except")) receive(strtol(words[2], NULL, 10), MSG_EXCEPT);
  else if (is("queue", "remove")) answer(msgctl(queue, IPC_RMID, NULL));
  else if (is("queue", "status")) {
    struct msqid_ds status;
    msgctl(queue, IPC_STAT, &status);
    print_owner(&status.msg_perm);
    printf("\"qnum\":%lu,\"cbytes\":%lu,\"qbytes\":%lu,\"lspid\":%d,\"lrpid\":%d,", status.msg_qnum,
           status.__msg_cbytes, status.msg_qbytes, status.msg_lspid, status.msg_lrpid);
    printf("\"stime\":%ld,\"rtime\":%ld,\"ctime\":%ld}\n", status.msg_stime, status.msg_rtime, status.msg_ctime);
  }
}

static void operate(void) {
  struct sembuf operations[16];
  size_t n = 0;
  for (; n < 16 && (int)n + 2 < count; n++) {
    char flags[8] = "";
    sscanf(words[n + 2], "%hu:%hd:%7s", &operations[n].sem_num, &operations[n].sem_op, flags);
    operations[n].sem_flg = 0;
    if (strchr(flags, 'u')) operations[n].sem_flg |= SEM_UNDO;
    if (strchr(flags, 'n')) operations[n].sem_flg |= IPC_NOWAIT;
  }
  if (semop(set, operations, n) == 0) printf("true\n");
  else if (errno == EAGAIN) printf("false\n");
  else answer(-1);
}

static void set_command(void) {
  struct semid_ds status;
  if (is("set", "create")) {
    int size = atoi(words[3]);
    set = semget(key(), size, IPC_CREAT | IPC_EXCL | (int)strtol(words[5], NULL, 8));
    for (int i = 0; set != -1 && i < size; i++) {
      semctl(set, i, SETVAL, (union semun){.val = atoi(words[4])});
    }
    answer(set);
  } else if (is("set", "open")) answer(set = semget(key(), 0, 0));
  else if (is("set", "operate")) operate();
  else if (is("set", "remove")) answer(semctl(set, 0, IPC_RMID));
  else if (is("set", "values")) {
    unsigned short values[64];
    semctl(set, 0, IPC_STAT, (union semun){.buf = &status});
    semctl(set, 0, GETALL, (union semun){.array = values});
    for (unsigned long i = 0; i < status.sem_nsems; i++) printf("%c%hu", i == 0 ? '[' : ',', values[i]);
    printf("]\n");
  } else if (is("set", "status")) {
    semctl(set, 0, IPC_STAT, (union semun){.buf = &status});
    print_owner(&status.sem_perm);
    printf("\"nsems\":%lu,\"otime\":%ld,\"ctime\":%ld}\n", status.sem_nsems, status.sem_otime, status.sem_ctime);
  }
}

static void memory_command(void) {
  if (is("memory", "create") || is("memory", "open")) {
    int create = is("memory", "create");
    memory = create ? shmget(key(), strtoul(words[3], NULL, 10),
                             IPC_CREAT | IPC_EXCL | (int)strtol(words[4], NULL, 8))
                    : shmget(key(), 0, 0);
    if (memory != -1) view = shmat(memory, NULL, 0);
    answer(memory);
  } else if (is("memory", "write")) {
    from_hex(words[3], view + strtoul(words[2], NULL, 10));
    printf("true\n");
  } else if (is("memory", "read")) {
    printf("\"");
    print_hex(view + strtoul(words[2], NULL, 10), strtoul(words[3], NULL, 10));
    printf("\"\n");
  } else if (is("memory", "detach")) answer(shmdt(view));
  else if (is("memory", "remove")) answer(shmctl(memory, IPC_RMID, NULL));
  else if (is("memory", "status")) {
    struct shmid_ds status;
    shmctl(memory, IPC_STAT, &status);
    print_owner(&status.shm_perm);
    printf("\"segsz\":%zu,\"nattch\":%lu,\"cpid\":%d,\"lpid\":%d,", status.shm_segsz, status.shm_nattch,
           status.shm_cpid, status.shm_lpid);
    printf("\"atime\":%ld,\"dtime\":%ld,\"ctime\":%ld}\n", status.shm_atime, status.shm_dtime, status.shm_ctime);
  }
}

int main(void) {
  while (fgets(line, sizeof line, stdin) != NULL) {
    count = 0;
    for (char *word = strtok(line, " \n"); word != NULL && count < 64; word = strtok(NULL, " \n")) {
      words[count++] = word;
    }
    if (strcmp(words[0], "queue") == 0) queue_command();
    else if (strcmp(words[0], "set") == 0) set_command();
    else memory_command();
    fflush(stdout);
  }
  return 0;
}
