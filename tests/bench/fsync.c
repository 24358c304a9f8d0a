// SPDX-License-Identifier: Apache-2.0
// Raw cost of durability on this disk: 4 KiB overwrite + fdatasync, as many times as
// fit into two seconds. Prints flushes per second and the median in microseconds.
// May touch: the file named, which it removes.
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static uint64_t
now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

static int
compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

int
main(int argc, char **argv)
{
	static uint64_t took[100000];
	static char page[4096];
	if (argc != 2)
		return 2;
	int fd = open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || pwrite(fd, page, sizeof(page), 0) != sizeof(page) || fsync(fd) != 0)
		return 1;
	uint64_t start = now_ns(), end = start;
	size_t n = 0;
	while (n < 100000 && end - start < 2000000000U) {
		uint64_t t = now_ns();
		if (pwrite(fd, page, sizeof(page), 0) != sizeof(page) || fdatasync(fd) != 0)
			return 1;
		end = now_ns();
		took[n++] = end - t;
	}
	qsort(took, n, sizeof(took[0]), compare);
	printf("{\"flushes_per_s\": %.0f, \"p50_us\": %.1f}\n",
	    (double)n * 1e9 / (double)(end - start), (double)took[n / 2] / 1000.0);
	unlink(argv[1]);
	return 0;
}
