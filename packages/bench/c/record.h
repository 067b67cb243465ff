/* A record of a log: its length, a CRC-32C over all behind that, its sequence, the time, and the payload. */
#ifndef RECORD_H
#define RECORD_H
#include <stdint.h>
#include <string.h>
#include <time.h>

struct header {
  uint32_t length, crc;
  uint64_t sequence, time;
};

static uint32_t tables[8][256];

/* Eight bytes at a time. */
static uint32_t crc32c(const unsigned char *bytes, size_t length) {
  uint32_t crc = ~0u;
  for (; length >= 8; bytes += 8, length -= 8) {
    uint64_t word;
    memcpy(&word, bytes, 8);
    word ^= crc;
    crc = 0;
    for (int byte = 0; byte < 8; byte++) crc ^= tables[7 - byte][word >> 8 * byte & 0xff];
  }
  while (length--) crc = crc >> 8 ^ tables[0][(crc ^ *bytes++) & 0xff];
  return ~crc;
}

static void make_tables(void) {
  for (uint32_t byte = 0; byte < 256; byte++) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
    tables[0][byte] = crc;
  }
  for (int table = 1; table < 8; table++)
    for (int byte = 0; byte < 256; byte++)
      tables[table][byte] = tables[table - 1][byte] >> 8 ^ tables[0][tables[table - 1][byte] & 0xff];
}

/* Makes a record of a payload; returns its bytes. */
static inline size_t make_record(unsigned char *record, uint64_t sequence, const void *payload, uint32_t size) {
  struct header *header = (struct header *)record;
  struct timespec time;
  size_t total = sizeof *header + size;
  clock_gettime(CLOCK_REALTIME, &time);
  *header = (struct header){size, 0, sequence, time.tv_sec * 1000 + time.tv_nsec / 1000000};
  memcpy(record + sizeof *header, payload, size);
  header->crc = crc32c(record + 8, total - 8);
  return total;
}
#endif
