/* A mapped file in C: create PATH SIZE, write PATH OFFSET TEXT, read PATH OFFSET LENGTH, add PATH OFFSET TIMES (to a
 * 32-bit word, atomically). Every one maps all of it. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void fail(const char *call) {
  perror(call);
  exit(1);
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  const char *command = argv[1];
  long number = atol(argv[3]);
  int creates = strcmp(command, "create") == 0;
  int fd = open(argv[2], O_RDWR | (creates ? O_CREAT | O_EXCL : 0), 0600);
  if (fd == -1) fail("open");
  if (creates && ftruncate(fd, number) == -1) fail("ftruncate");
  struct stat status;
  if (fstat(fd, &status) == -1) fail("fstat");
  char *bytes = mmap(NULL, status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (bytes == MAP_FAILED) fail("mmap");
  if (creates) return 0;
  if (argc < 5) return 2;
  if (strcmp(command, "write") == 0) memcpy(bytes + number, argv[4], strlen(argv[4]));
  else if (strcmp(command, "read") == 0) fwrite(bytes + number, 1, atol(argv[4]), stdout);
  else if (strcmp(command, "add") == 0) {
    for (long times = atol(argv[4]); times > 0; times--) {
      __atomic_fetch_add((int32_t *)(bytes + number), 1, __ATOMIC_SEQ_CST);
    }
  } else return 2;
  return 0;
}
