// Reads the scene format: one statement per line, words separated by blanks, `#` starts a comment.
#include "scene.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_LENGTH = 512 };

// Where the reader stands. The first problem is printed and stops everything after it.
typedef struct {
    const char *path;
    int line;
    bool failed;
    char *rest; // what strtok_r has not looked at yet
    bool has_picture, has_camera;
} Reader;

static void fail(Reader *r, const char *format, ...) {
    if (r->failed) return;
    r->failed = true;
    fprintf(stderr, "render: %s:%d: ", r->path, r->line);
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

static const char *next_word(Reader *r) { return strtok_r(NULL, " \t\r\n", &r->rest); }

static double number(Reader *r, const char *what, double low, double high) {
    const char *word = r->failed ? NULL : next_word(r);
    if (!word) {
        fail(r, "missing %s", what);
        return low;
    }
    char *end;
    double value = strtod(word, &end);
    if (*end != '\0' || end == word) {
        fail(r, "%s: '%s' is not a number", what, word);
    } else if (!(value >= low && value <= high)) {
        fail(r, "%s: %s is outside %g to %g", what, word, low, high);
    }
    return r->failed ? low : value;
}

static int whole(Reader *r, const char *what, int low, int high) {
    double value = number(r, what, low, high);
    if (value != (int)value) fail(r, "%s: not a whole number", what);
    return (int)value;
}

static const double FAR = 1e6; // keeps squares of distances well inside a double

static Vec point(Reader *r, const char *what) {
    double x = number(r, what, -FAR, FAR);
    double y = number(r, what, -FAR, FAR);
    double z = number(r, what, -FAR, FAR);
    return vec(x, y, z);
}

static Vec colour(Reader *r, double high) {
    double red = number(r, "red", 0.0, high);
    double green = number(r, "green", 0.0, high);
    double blue = number(r, "blue", 0.0, high);
    return vec(red, green, blue);
}

static int material_by_name(Reader *r, const Scene *scene) {
    const char *word = r->failed ? NULL : next_word(r);
    if (!word) {
        fail(r, "missing material");
        return 0;
    }
    for (int i = 0; i < scene->material_count; i++) {
        if (strcmp(scene->materials[i].name, word) == 0) return i;
    }
    fail(r, "no material '%s' above this line", word);
    return 0;
}

// The next free place of a list, or a place that is safe to write when the list is full.
static int take_place(Reader *r, int *count, int max, const char *what) {
    if (*count == max) {
        fail(r, "more than %d %s", max, what);
        return 0;
    }
    return (*count)++;
}

static MaterialKind material_kind(Reader *r) {
    static const char *const names[] = {"diffuse", "plastic", "metal", "glass", "light"};
    const char *word = next_word(r);
    for (int i = 0; word && i < 5; i++) {
        if (strcmp(word, names[i]) == 0) return (MaterialKind)i;
    }
    fail(r, "material kind must be diffuse, plastic, metal, glass or light");
    return DIFFUSE;
}

static void material_options(Reader *r, Material *m) {
    const char *word;
    while (!r->failed && (word = next_word(r))) {
        if (strcmp(word, "rough") == 0) {
            m->roughness = number(r, "rough", 0.0, 1.0);
        } else if (strcmp(word, "index") == 0) {
            m->index = number(r, "index", 1.0, 4.0);
        } else if (strcmp(word, "checker") == 0) {
            m->colour2 = colour(r, 1.0);
            m->checker_size = number(r, "checker size", 1e-3, FAR);
        } else {
            fail(r, "unknown option '%s'", word);
        }
    }
}

static void read_material(Reader *r, Scene *scene) {
    const char *name = next_word(r);
    if (!name || strlen(name) > NAME_MAX_LENGTH) {
        fail(r, "a material needs a name of at most %d letters", NAME_MAX_LENGTH);
        return;
    }
    for (int i = 0; i < scene->material_count; i++) {
        if (strcmp(scene->materials[i].name, name) == 0) fail(r, "material '%s' stands twice", name);
    }
    Material *m = &scene->materials[take_place(r, &scene->material_count, MATERIALS_MAX, "materials")];
    strcpy(m->name, name);
    m->index = 1.5;
    m->kind = material_kind(r);
    m->colour = colour(r, m->kind == LIGHT ? 1e4 : 1.0);
    material_options(r, m);
}

static void read_sphere(Reader *r, Scene *scene) {
    int i = take_place(r, &scene->sphere_count, SHAPES_MAX, "spheres");
    Sphere *s = &scene->spheres[i];
    s->centre = point(r, "centre");
    s->radius = number(r, "radius", 1e-6, FAR);
    s->material = material_by_name(r, scene);
    if (!r->failed && scene->materials[s->material].kind == LIGHT) {
        scene->lights[scene->light_count++] = i;
    }
}

static void read_plane(Reader *r, Scene *scene) {
    Plane *p = &scene->planes[take_place(r, &scene->plane_count, SHAPES_MAX, "planes")];
    Vec normal = point(r, "normal");
    p->offset = number(r, "offset", -FAR, FAR);
    p->material = material_by_name(r, scene);
    if (r->failed) return;
    double length = sqrt(dot(normal, normal));
    if (length < 1e-9) {
        fail(r, "a plane's normal must not be zero");
        return;
    }
    p->normal = scale(normal, 1.0 / length);
    p->offset /= length;
}

static void read_box(Reader *r, Scene *scene) {
    Box *b = &scene->boxes[take_place(r, &scene->box_count, SHAPES_MAX, "boxes")];
    b->low = point(r, "low corner");
    b->high = point(r, "high corner");
    b->material = material_by_name(r, scene);
    if (r->failed) return;
    if (!(b->low.x < b->high.x && b->low.y < b->high.y && b->low.z < b->high.z)) {
        fail(r, "a box's low corner must be below its high corner");
    }
}

static void read_camera(Reader *r, Scene *scene) {
    Camera *c = &scene->camera;
    c->eye = point(r, "eye");
    c->target = point(r, "target");
    c->fov_degrees = number(r, "field of view", 1.0, 170.0);
    c->aperture = number(r, "aperture", 0.0, FAR);
    c->focus = number(r, "focus", 0.0, FAR);
    Vec way = sub(c->target, c->eye);
    if (!r->failed && way.x * way.x + way.z * way.z < 1e-12) {
        fail(r, "the camera must not look straight up or down");
    }
    r->has_camera = true;
}

static void read_statement(Reader *r, Scene *scene, const char *word) {
    if (strcmp(word, "picture") == 0) {
        scene->width = whole(r, "width", 1, SIDE_MAX);
        scene->height = whole(r, "height", 1, SIDE_MAX);
        r->has_picture = true;
    } else if (strcmp(word, "samples") == 0) {
        scene->samples = whole(r, "samples", 1, SAMPLES_MAX);
    } else if (strcmp(word, "depth") == 0) {
        scene->depth = whole(r, "depth", 1, DEPTH_MAX);
    } else if (strcmp(word, "exposure") == 0) {
        scene->exposure = number(r, "exposure", 1e-6, 1e6);
    } else if (strcmp(word, "camera") == 0) {
        read_camera(r, scene);
    } else if (strcmp(word, "sky") == 0) {
        scene->horizon = colour(r, 1e4);
        scene->zenith = colour(r, 1e4);
    } else if (strcmp(word, "material") == 0) {
        read_material(r, scene);
    } else if (strcmp(word, "sphere") == 0) {
        read_sphere(r, scene);
    } else if (strcmp(word, "plane") == 0) {
        read_plane(r, scene);
    } else if (strcmp(word, "box") == 0) {
        read_box(r, scene);
    } else {
        fail(r, "unknown statement '%s'", word);
    }
    const char *extra = r->failed ? NULL : next_word(r);
    if (extra) fail(r, "'%s' is too much", extra);
}

static void read_line(Reader *r, Scene *scene, char *line) {
    if (strlen(line) == LINE_MAX_LENGTH - 1 && line[LINE_MAX_LENGTH - 2] != '\n') {
        fail(r, "line longer than %d bytes", LINE_MAX_LENGTH - 2);
        return;
    }
    char *comment = strchr(line, '#');
    if (comment) *comment = '\0';
    const char *word = strtok_r(line, " \t\r\n", &r->rest);
    if (word) read_statement(r, scene, word);
}

int scene_read(const char *path, Scene *scene) {
    FILE *file = fopen(path, "r");
    if (!file) {
        fprintf(stderr, "render: %s: %s\n", path, strerror(errno));
        return -1;
    }
    *scene = (Scene){.samples = 16, .depth = 8, .exposure = 1.0};
    Reader r = {.path = path};
    char line[LINE_MAX_LENGTH];
    while (!r.failed && fgets(line, sizeof line, file)) {
        r.line++;
        read_line(&r, scene, line);
    }
    if (ferror(file)) fail(&r, "cannot read: %s", strerror(errno));
    fclose(file);
    if (!r.has_picture) fail(&r, "the scene has no 'picture' statement");
    if (!r.has_camera) fail(&r, "the scene has no 'camera' statement");
    return r.failed ? -1 : 0;
}
