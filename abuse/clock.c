/* A clock that somebody sets: preloaded, it moves the time of day of a process by the seconds that
   the file named by ABUSE_CLOCK holds (int64), at once and in all its threads. The monotonic clock,
   sleeping and the times of files stay true, as they do when a machine's clock is set. What is
   waited for until a time of day is waited for until that time on the moved clock. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile const int64_t *moved;

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("ABUSE_CLOCK");
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  void *seen = file < 0 ? MAP_FAILED : mmap(NULL, 8, PROT_READ, MAP_SHARED, file, 0);
  if (seen != MAP_FAILED) moved = seen;
  if (file >= 0) close(file);
}

static int64_t seconds(void) { return moved ? *moved : 0; }

int clock_gettime(clockid_t which, struct timespec *now) {
  int failed = (int)syscall(SYS_clock_gettime, which, now);
  if (!failed && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) now->tv_sec += seconds();
  return failed;
}

int gettimeofday(struct timeval *now, void *zone) {
  struct timespec exact;
  (void)zone;
  if (clock_gettime(CLOCK_REALTIME, &exact)) return -1;
  now->tv_sec = exact.tv_sec;
  now->tv_usec = exact.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *kept) {
  struct timespec exact;
  clock_gettime(CLOCK_REALTIME, &exact);
  if (kept) *kept = exact.tv_sec;
  return exact.tv_sec;
}

/* Who waits by the monotonic clock gives a time since the machine was started: nothing to move. */
static struct timespec on_true_clock(const struct timespec *until) {
  const time_t long_after_any_start = 500000000;
  struct timespec true_one = *until;
  if (until->tv_sec > long_after_any_start) true_one.tv_sec -= seconds();
  return true_one;
}

/* The condition variables of today, not those that old programs ask for by the same name. */
static void *next_condition(void) {
  void *found = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
  return found ? found : dlsym(RTLD_NEXT, "pthread_cond_timedwait");
}

int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *lock, const struct timespec *until) {
  int (*wait)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *) = next_condition();
  struct timespec true_one = on_true_clock(until);
  return wait(condition, lock, &true_one);
}

int sem_timedwait(sem_t *semaphore, const struct timespec *until) {
  int (*wait)(sem_t *, const struct timespec *) = dlsym(RTLD_NEXT, "sem_timedwait");
  struct timespec true_one = on_true_clock(until);
  return wait(semaphore, &true_one);
}
