// epidemic: sweeps two parameters of an SEIR model, in parts whose rows are put together afterwards.
//
//   epidemic MODEL --from A --to B -o ROWS   the grid's points A to B-1, one row of CSV each
//   epidemic --join DIR -o SWEEP             DIR/0/rows.csv, DIR/1/rows.csv, ... until one is missing, below one
//                                            heading; the worst point goes to standard output
//
// The model: everybody is susceptible, exposed, infectious or removed; an infectious person infects r0 / infectious_days
// people a day while all others are susceptible, and the exposed become infectious after latent_days on average. Four
// differential equations, integrated by the classical Runge-Kutta method in fixed steps.
//
// MODEL has one `name value...` per line; # starts a comment:
//   population N          people
//   infected N            infectious ones on day 0
//   latent_days D         mean days from infection to being infectious
//   days D                how long to look
//   steps N               steps of a day
//   r0 LOW HIGH COUNT                 the first parameter, COUNT values from LOW to HIGH
//   infectious_days LOW HIGH COUNT    the second one, which varies fastest
// Point i of the grid has r0 number i / COUNT and infectious_days number i % COUNT.
// What is wrong is said on standard error and ends with exit code 2.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_LENGTH = 512, COUNT_MAX = 100000, STEPS_MAX = 1000, DAYS_MAX = 10000 };

typedef struct {
    double low, high;
    long count;
} Axis;

typedef struct {
    double population, infected, latent_days;
    long days, steps;
    Axis r0, infectious_days;
} Model;

typedef struct {
    double susceptible, exposed, infectious, removed;
} State;

typedef struct {
    double peak, peak_day, total;
} Outcome;

static const char HEADING[] = "r0,infectious_days,peak_infectious,peak_day,infected_share\n";

static void fail(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("epidemic: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(2);
}

static int read_axis(const char *rest, Axis *axis) {
    return sscanf(rest, "%lf %lf %ld", &axis->low, &axis->high, &axis->count) == 3 && axis->low > 0 &&
           axis->high >= axis->low && axis->count > 0 && axis->count <= COUNT_MAX;
}

static int read_number(const char *rest, double *number) { return sscanf(rest, "%lf", number) == 1 && *number > 0; }

static int read_count(const char *rest, long *count, long most) {
    return sscanf(rest, "%ld", count) == 1 && *count > 0 && *count <= most;
}

static int read_line(Model *model, const char *name, const char *rest) {
    if (strcmp(name, "population") == 0) return read_number(rest, &model->population);
    if (strcmp(name, "infected") == 0) return read_number(rest, &model->infected);
    if (strcmp(name, "latent_days") == 0) return read_number(rest, &model->latent_days);
    if (strcmp(name, "days") == 0) return read_count(rest, &model->days, DAYS_MAX);
    if (strcmp(name, "steps") == 0) return read_count(rest, &model->steps, STEPS_MAX);
    if (strcmp(name, "r0") == 0) return read_axis(rest, &model->r0);
    if (strcmp(name, "infectious_days") == 0) return read_axis(rest, &model->infectious_days);
    return 0;
}

static Model read_model(const char *path) {
    FILE *in = fopen(path, "rb");
    if (!in) fail("cannot read %s", path);
    Model model = {0};
    char line[LINE_LENGTH];
    for (int number = 1; fgets(line, sizeof line, in); number++) {
        char *comment = strchr(line, '#');
        if (comment) *comment = 0;
        char name[LINE_LENGTH];
        int used = 0;
        if (sscanf(line, "%s%n", name, &used) != 1) continue;
        if (!read_line(&model, name, line + used)) fail("%s line %d cannot be used", path, number);
    }
    fclose(in);
    int is_whole = model.population > 0 && model.infected > 0 && model.latent_days > 0 && model.days > 0 &&
                   model.steps > 0 && model.r0.count > 0 && model.infectious_days.count > 0;
    if (!is_whole) fail("%s lacks a line", path);
    if (model.infected > model.population) fail("%s infects more people than there are", path);
    return model;
}

static double value(const Axis *axis, long number) {
    return axis->count == 1 ? axis->low : axis->low + (axis->high - axis->low) * (double)number / (double)(axis->count - 1);
}

static State slope(const Model *model, State at, double r0, double infectious_days) {
    double infections = r0 / infectious_days * at.infectious * at.susceptible / model->population;
    double onsets = at.exposed / model->latent_days;
    double removals = at.infectious / infectious_days;
    return (State){-infections, infections - onsets, onsets - removals, removals};
}

static State moved(State from, State by, double step) {
    return (State){from.susceptible + by.susceptible * step, from.exposed + by.exposed * step,
                   from.infectious + by.infectious * step, from.removed + by.removed * step};
}

static State stepped(const Model *model, State at, double r0, double infectious_days, double step) {
    State a = slope(model, at, r0, infectious_days);
    State b = slope(model, moved(at, a, step / 2), r0, infectious_days);
    State c = slope(model, moved(at, b, step / 2), r0, infectious_days);
    State d = slope(model, moved(at, c, step), r0, infectious_days);
    State sum = moved(moved(moved(a, b, 2), c, 2), d, 1);
    return moved(at, sum, step / 6);
}

static Outcome run(const Model *model, double r0, double infectious_days) {
    State at = {model->population - model->infected, 0, model->infected, 0};
    Outcome outcome = {at.infectious, 0, 0};
    for (long i = 1; i <= model->days * model->steps; i++) {
        at = stepped(model, at, r0, infectious_days, 1.0 / (double)model->steps);
        if (at.infectious > outcome.peak) {
            outcome.peak = at.infectious;
            outcome.peak_day = (double)i / (double)model->steps;
        }
    }
    outcome.total = 1 - at.susceptible / model->population;
    return outcome;
}

static FILE *create(const char *path) {
    FILE *out = fopen(path, "wb");
    if (!out) fail("cannot write %s", path);
    return out;
}

static void sweep(const Model *model, long from, long to, const char *path) {
    long points = model->r0.count * model->infectious_days.count;
    if (from < 0 || to > points || from > to) fail("the grid has points 0 to %ld, not %ld to %ld", points, from, to);
    FILE *out = create(path);
    for (long point = from; point < to; point++) {
        double r0 = value(&model->r0, point / model->infectious_days.count);
        double infectious_days = value(&model->infectious_days, point % model->infectious_days.count);
        Outcome outcome = run(model, r0, infectious_days);
        fprintf(out, "%.4f,%.4f,%.1f,%.2f,%.6f\n", r0, infectious_days, outcome.peak, outcome.peak_day, outcome.total);
    }
    if (fclose(out) != 0) fail("cannot write %s", path);
}

static void join(const char *folder, const char *path) {
    FILE *out = create(path);
    fputs(HEADING, out);
    char line[LINE_LENGTH], worst[LINE_LENGTH] = "";
    double peak = -1;
    for (int unit = 0;; unit++) {
        char name[LINE_LENGTH];
        snprintf(name, sizeof name, "%s/%d/rows.csv", folder, unit);
        FILE *in = fopen(name, "rb");
        if (!in && unit == 0) fail("there is no %s", name);
        if (!in) break;
        for (int number = 1; fgets(line, sizeof line, in); number++) {
            double found;
            if (sscanf(line, "%*f,%*f,%lf", &found) != 1) fail("%s line %d is no row", name, number);
            fputs(line, out);
            if (found > peak) {
                peak = found;
                strcpy(worst, line);
            }
        }
        fclose(in);
    }
    if (fclose(out) != 0) fail("cannot write %s", path);
    printf("worst: %s%s", HEADING, worst);
}

int main(int argc, char **argv) {
    if (argc == 5 && strcmp(argv[1], "--join") == 0 && strcmp(argv[3], "-o") == 0) {
        join(argv[2], argv[4]);
        return 0;
    }
    int is_sweep = argc == 8 && strcmp(argv[2], "--from") == 0 && strcmp(argv[4], "--to") == 0 && strcmp(argv[6], "-o") == 0;
    if (!is_sweep) fail("usage: epidemic MODEL --from A --to B -o ROWS, or epidemic --join DIR -o SWEEP");
    Model model = read_model(argv[1]);
    sweep(&model, atol(argv[3]), atol(argv[5]), argv[7]);
    return 0;
}
