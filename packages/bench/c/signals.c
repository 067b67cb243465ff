/*
 * Signals that another process waits for, and the end of one that is killed, in plain C.
 *
 *   signals near signal    obeys lines on standard input: sends SIGUSR2 to a process that reads it from a signalfd
 *                          (signalfd) or waits for it (sigwaitinfo); kills one and waits with poll on its pidfd (pidfd)
 */
#define _GNU_SOURCE
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include "waking.h"

static int target = -1;

static int open_pidfd(pid_t pid) {
  int fd = syscall(SYS_pidfd_open, pid, 0);
  if (fd < 0) fail("pidfd_open");
  return fd;
}

static void send_signal(int fd, int number) {
  if (syscall(SYS_pidfd_send_signal, fd, number, NULL, 0)) fail("pidfd_send_signal");
}

static void wake(pid_t child) {
  if (target < 0) target = open_pidfd(child);
  send_signal(target, SIGUSR2);
}

static void block(sigset_t *set) {
  sigemptyset(set);
  sigaddset(set, SIGUSR2);
  sigprocmask(SIG_BLOCK, set, NULL);
}

static void read_signals(long count) {
  sigset_t set;
  struct signalfd_siginfo info;
  block(&set);
  int fd = signalfd(-1, &set, SFD_CLOEXEC);
  if (fd < 0) fail("signalfd");
  listening();
  for (; count > 0; count--) {
    if (read(fd, &info, sizeof info) != sizeof info) fail("read");
    came();
  }
}

static void wait_for_signals(long count) {
  sigset_t set;
  siginfo_t info;
  block(&set);
  listening();
  for (; count > 0; count--) {
    if (sigwaitinfo(&set, &info) != SIGUSR2) fail("sigwaitinfo");
    came();
  }
}

/* How long it takes until the end of a process is known that is killed. */
static void watch_ends(long count) {
  prepare_wakes(count);
  double used = 0, sum = 0;
  for (long number = 0; number < count; number++) {
    pid_t child = fork();
    if (child < 0) fail("fork");
    if (!child) {
      execlp("sleep", "sleep", "600", NULL);
      _exit(127);
    }
    struct pollfd poller = {.fd = open_pidfd(child), .events = POLLIN};
    rest();
    double before = cpu();
    wakes->left = now();
    send_signal(poller.fd, SIGKILL);
    if (poll(&poller, 1, -1) != 1) fail("poll");
    came();
    used += cpu() - before;
    sum += wakes->times[number];
    close(poller.fd);
    waitpid(child, NULL, 0);
  }
  qsort(wakes->times, count, sizeof *wakes->times, ascending);
  printf("{\"nanoseconds\":%.0f,\"cpu\":%.3f,\"p50\":%.3f,\"p99\":%.3f}\n", sum * 1e3, used / count,
         wakes->times[count / 2], wakes->times[(long)(count * 0.99)]);
  fflush(stdout);
  munmap(wakes, sizeof *wakes + count * sizeof(double));
}

int main(int count, char **args) {
  if (count != 3 || strcmp(args[1], "near")) return 2;
  signal(SIGINT, SIG_IGN);
  say_ready(0, 0);
  struct order order;
  while (next_order(&order)) {
    if (!strcmp(order.test, "pidfd")) {
      watch_ends(order.count);
      continue;
    }
    measure_wakes(order.count, strcmp(order.test, "signalfd") ? wait_for_signals : read_signals, wake);
    close(target);
    target = -1;
  }
  return 0;
}
