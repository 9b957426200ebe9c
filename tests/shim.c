/* Laid over libc with LD_PRELOAD (tests/shim.py). What a process asks of the machine gets another answer:

   NETWORK_LOG=file   the network refuses everything, and the file tells who asked for what
   VISIBLE_CPUS=n     there are n processors, whatever the machine has

   Sockets between processes of one machine (AF_UNIX) stay. Static programs and raw system calls are not seen,
   except the one by which OpenMP counts processors. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* The network */

static const char *network_log(void) { return getenv("NETWORK_LOG"); }

static void tell(const char *what, const char *where)
{
    char line[512];
    int saved = errno, file = open(network_log(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    int length = snprintf(line, sizeof line, "%s: %s %s\n", program_invocation_short_name, what, where);
    if (length >= (int)sizeof line)
        length = sizeof line - 1;
    if (file < 0 || write(file, line, length) != length)
        abort(); /* A log that can't be written would read like silence. */
    close(file);
    errno = saved;
}

static int outside(int family) { return network_log() && (family == AF_INET || family == AF_INET6); }

static int refused(const char *what, const struct sockaddr *to)
{
    char host[INET6_ADDRSTRLEN] = "?", where[INET6_ADDRSTRLEN + 8];
    const struct sockaddr_in *four = (const void *)to;
    const struct sockaddr_in6 *six = (const void *)to;
    if (!to || !outside(to->sa_family))
        return 0;
    inet_ntop(to->sa_family, to->sa_family == AF_INET ? (void *)&four->sin_addr : (void *)&six->sin6_addr, host, sizeof host);
    snprintf(where, sizeof where, "%s:%d", host, ntohs(to->sa_family == AF_INET ? four->sin_port : six->sin6_port));
    tell(what, where);
    errno = EACCES;
    return 1;
}

/* To have a socket, or to bind one as urllib3 does to learn of IPv6, reaches nobody. */
int listen(int one, int backlog)
{
    struct sockaddr_storage here = {0};
    socklen_t size = sizeof here;
    getsockname(one, (struct sockaddr *)&here, &size);
    return refused("listen", (struct sockaddr *)&here) ? -1 : REAL(listen)(one, backlog);
}

int connect(int one, const struct sockaddr *to, socklen_t size)
{
    return refused("connect", to) ? -1 : REAL(connect)(one, to, size);
}

ssize_t sendto(int one, const void *bytes, size_t count, int flags, const struct sockaddr *to, socklen_t size)
{
    return refused("sendto", to) ? -1 : REAL(sendto)(one, bytes, count, flags, to, size);
}

ssize_t sendmsg(int one, const struct msghdr *message, int flags)
{
    return refused("sendmsg", message->msg_name) ? -1 : REAL(sendmsg)(one, message, flags);
}

/* libc asks name servers by itself, past the functions above. */
int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    if (!network_log() || !host)
        return REAL(getaddrinfo)(host, service, hints, found);
    tell("getaddrinfo", host);
    return EAI_FAIL;
}

static struct hostent *unknown(const char *host)
{
    tell("gethostbyname", host);
    h_errno = NO_RECOVERY;
    return NULL;
}

struct hostent *gethostbyname(const char *host)
{
    return network_log() ? unknown(host) : REAL(gethostbyname)(host);
}

struct hostent *gethostbyname2(const char *host, int family)
{
    return network_log() ? unknown(host) : REAL(gethostbyname2)(host, family);
}

int gethostbyname_r(const char *host, struct hostent *into, char *bytes, size_t size, struct hostent **found, int *error)
{
    if (!network_log())
        return REAL(gethostbyname_r)(host, into, bytes, size, found, error);
    *found = unknown(host);
    *error = NO_RECOVERY;
    return EAGAIN;
}

/* The processors */

static int visible(void)
{
    const char *said = getenv("VISIBLE_CPUS");
    return said ? atoi(said) : 0;
}

static int first_ones(size_t size, cpu_set_t *set)
{
    if (size * 8 < (size_t)visible())
        return EINVAL;
    CPU_ZERO_S(size, set);
    for (int one = 0; one < visible(); one++)
        CPU_SET_S(one, size, set);
    return 0;
}

int sched_getaffinity(pid_t process, size_t size, cpu_set_t *set)
{
    if (!visible())
        return REAL(sched_getaffinity)(process, size, set);
    errno = first_ones(size, set);
    return errno ? -1 : 0;
}

int pthread_getaffinity_np(pthread_t thread, size_t size, cpu_set_t *set)
{
    return visible() ? first_ones(size, set) : REAL(pthread_getaffinity_np)(thread, size, set);
}

/* Nobody can be sent to a processor that is not there. */
int sched_setaffinity(pid_t process, size_t size, const cpu_set_t *set)
{
    return visible() ? 0 : REAL(sched_setaffinity)(process, size, set);
}

int pthread_setaffinity_np(pthread_t thread, size_t size, const cpu_set_t *set)
{
    return visible() ? 0 : REAL(pthread_setaffinity_np)(thread, size, set);
}

long sysconf(int name)
{
    int count = name == _SC_NPROCESSORS_ONLN || name == _SC_NPROCESSORS_CONF;
    return count && visible() ? visible() : REAL(sysconf)(name);
}

int get_nprocs(void) { return visible() ? visible() : REAL(get_nprocs)(); }

int get_nprocs_conf(void) { return visible() ? visible() : REAL(get_nprocs_conf)(); }

long syscall(long number, ...)
{
    va_list rest;
    long a[6];
    va_start(rest, number);
    for (int n = 0; n < 6; n++)
        a[n] = va_arg(rest, long);
    va_end(rest);
    if (number != SYS_sched_getaffinity || !visible())
        return REAL(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    errno = a[2] ? first_ones(a[1], (cpu_set_t *)a[2]) : EFAULT;
    return errno ? -1 : (visible() + 63) / 64 * 8; /* The bytes that were filled, as the kernel says. */
}
