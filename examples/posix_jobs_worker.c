/* The other half of posix_jobs.ts, which compiles and starts it: counts primes up to each number that it is sent. */
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int primes(int limit) {
  int count = 0;
  for (int number = 2; number <= limit; number++) {
    int divisor = 2;
    while (divisor * divisor <= number && number % divisor != 0) divisor++;
    if (divisor * divisor > number) count++;
  }
  return count;
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  mqd_t jobs = mq_open(argv[1], O_RDONLY);
  mqd_t answers = mq_open(argv[2], O_WRONLY);
  if (jobs == (mqd_t)-1 || answers == (mqd_t)-1) {
    perror("mq_open");
    return 1;
  }
  char job[65], answer[64];
  unsigned priority;
  for (;;) {
    ssize_t length = mq_receive(jobs, job, 64, &priority);
    if (length == -1) {
      perror("mq_receive");
      return 1;
    }
    if (length == 0) return 0;
    job[length] = '\0';
    snprintf(answer, sizeof answer, "%d primes up to %s", primes(atoi(job)), job);
    /* The answer is as urgent as the job: of those that wait the highest is received first. */
    if (mq_send(answers, answer, strlen(answer), priority) == -1) {
      perror("mq_send");
      return 1;
    }
  }
}
