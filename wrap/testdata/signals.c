/* signals PORT: binds sockets to PORT, 2000 of them, while a timer interrupts
 * it 5000 times a second. */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

static void tick(int s) { (void)s; }

int main(int argc, char **argv) {
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[argc - 1]))};
	struct sigaction restart = {.sa_handler = tick, .sa_flags = SA_RESTART};
	struct itimerval often = {{0, 200}, {0, 200}};
	sigaction(SIGALRM, &restart, 0);
	setitimer(ITIMER_REAL, &often, 0);
	for (int i = 0; i < 2000; i++) {
		int s = socket(AF_INET, SOCK_STREAM, 0), r;
		do r = bind(s, (struct sockaddr *)&here, sizeof here);
		while (r && errno == EINTR);
		if (r) {
			perror("bind");
			return 1;
		}
		close(s);
	}
	return 0;
}
