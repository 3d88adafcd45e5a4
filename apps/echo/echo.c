// echo: a program of a user's own. It knows nothing of GIO and uses what any C program uses:
// arguments, environment, standard input, files, folders, floats and an exit code of its own.
//
//   echo [FILE [WORD...]]
//
// It reports what it was given on standard output, complains about a missing file on standard error,
// writes the report once more to out/report.txt and exits 3.
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { EXIT_AS_PROMISED = 3, ENTRIES_MAX = 256, REPORT_BYTES = 1 << 20, LINE_BYTES = 256 };

static const char FOLDER[] = "out", REPORT[] = "out/report.txt", MISSING[] = "no/such/file";

extern char **environ;

static char report[REPORT_BYTES]; // what was said so far, for the file
static size_t report_length;

static void say(const char *format, ...) {
    va_list args;
    va_start(args, format);
    size_t room = sizeof report - report_length;
    int length = vsnprintf(report + report_length, room, format, args);
    va_end(args);
    if (length < 0) return;
    if ((size_t)length >= room) length = (int)room - 1;
    fputs(report + report_length, stdout);
    report_length += (size_t)length;
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void tell_arguments(int argc, char **argv) {
    say("arguments: %d\n", argc);
    for (int i = 1; i < argc; i++) say("  %d: [%s]\n", i, argv[i]);
}

static void tell_environment(void) {
    const char *greeting = getenv("GREETING");
    say("greeting: %s\n", greeting ? greeting : "(none)");
    char *sorted[ENTRIES_MAX];
    size_t count = 0;
    while (environ && environ[count] && count < ENTRIES_MAX) {
        sorted[count] = environ[count];
        count++;
    }
    qsort(sorted, count, sizeof *sorted, by_text);
    say("environment: %zu\n", count);
    for (size_t i = 0; i < count; i++) say("  %s\n", sorted[i]);
}

// Counts, and the mean and spread of line lengths: reading in lines, printing floats.
static void tell_stdin(void) {
    size_t lines = 0, bytes = 0;
    double sum = 0.0, squares = 0.0;
    char line[LINE_BYTES];
    while (fgets(line, sizeof line, stdin)) {
        size_t length = strlen(line);
        lines++;
        bytes += length;
        sum += (double)length;
        squares += (double)length * (double)length;
        line[strcspn(line, "\n")] = '\0';
        if (lines <= 3) say("  line %zu: %s\n", lines, line);
    }
    double mean = lines ? sum / (double)lines : 0.0;
    say("stdin: %zu lines, %zu bytes, mean %.3f, mean square %e, half %g\n", lines, bytes, mean,
        lines ? squares / (double)lines : 0.0, mean / 2.0);
}

// Size by seeking, size by stat, the last bytes by seeking back, and a checksum of everything.
static void tell_file(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) {
        say("file %s: cannot open\n", path);
        fprintf(stderr, "echo: %s: %s\n", path, strerror(errno));
        return;
    }
    struct stat about = {0};
    int stat_result = stat(path, &about);
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    unsigned sum = 0;
    for (int c; (c = fgetc(file)) != EOF;) sum = (sum << 5 | sum >> 27) ^ (unsigned)c;
    char tail[9] = {0};
    fseek(file, size < 8 ? -size : -8, SEEK_END);
    long at = ftell(file);
    size_t got = fread(tail, 1, 8, file);
    fclose(file);
    say("file %s: size %ld, stat %d says %lld, regular %d, checksum %08x\n", path, size, stat_result,
        (long long)about.st_size, S_ISREG(about.st_mode), sum);
    say("  last %zu bytes from %ld:", got, at);
    for (size_t i = 0; i < got; i++) say(" %02x", (unsigned char)tail[i]);
    say("\n");
}

static void tell_folder(const char *path) {
    DIR *folder = opendir(path);
    if (!folder) {
        fprintf(stderr, "echo: folder %s: %s\n", path, strerror(errno));
        return;
    }
    char *names[ENTRIES_MAX];
    size_t count = 0;
    struct dirent *entry;
    while (count < ENTRIES_MAX && (entry = readdir(folder))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        names[count++] = strdup(entry->d_name);
    }
    closedir(folder);
    qsort(names, count, sizeof *names, by_text); // the order of a folder is nobody's promise
    say("folder: %zu entries\n", count);
    for (size_t i = 0; i < count; i++) {
        struct stat about;
        if (stat(names[i], &about) != 0) {
            say("  %s: %s\n", names[i], strerror(errno));
        } else if (S_ISDIR(about.st_mode)) {
            say("  %s/\n", names[i]);
        } else {
            say("  %s %lld\n", names[i], (long long)about.st_size);
        }
        free(names[i]);
    }
}

static void tell_missing(void) {
    FILE *file = fopen(MISSING, "r");
    fprintf(stderr, "echo: %s: %s\n", MISSING, file ? "is there" : strerror(errno));
    if (file) fclose(file);
}

// Writes what was said so far, then reads it back and says whether it is the same.
static void keep_report(void) {
    if (mkdir(FOLDER, 0777) != 0 && errno != EEXIST) {
        fprintf(stderr, "echo: folder %s: %s\n", FOLDER, strerror(errno));
    }
    FILE *file = fopen(REPORT, "w+b");
    if (!file) {
        fprintf(stderr, "echo: %s: %s\n", REPORT, strerror(errno));
        return;
    }
    fwrite(report, 1, report_length, file);
    long end = ftell(file);
    rewind(file);
    size_t same = 0;
    while (same < report_length && fgetc(file) == (unsigned char)report[same]) same++;
    fclose(file);
    printf("report: %ld bytes, %s\n", end, same == report_length ? "read back" : "not what was written");
}

int main(int argc, char **argv) {
    tell_arguments(argc, argv);
    tell_environment();
    tell_stdin();
    if (argc > 1) tell_file(argv[1]);
    tell_folder(".");
    tell_missing();
    keep_report();
    return EXIT_AS_PROMISED;
}
