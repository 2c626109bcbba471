/* forker [-d] PORT: serves IPv4 with a process for each connection, which says
 * "hello\n". With -d it binds first and then goes to the background, out of its
 * group and session. */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
	int daemonize = argc == 3 && strcmp(argv[1], "-d") == 0;
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[argc - 1]))};
	int l = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(l, (struct sockaddr *)&here, sizeof here) || listen(l, 5)) {
		perror("forker");
		return 1;
	}
	if (daemonize) {
		if (fork()) return 0;
		setsid();
		if (fork()) return 0;
	}
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int c = accept(l, 0, 0);
		if (fork() == 0) {
			write(c, "hello\n", 6);
			return 0;
		}
		close(c);
	}
}
