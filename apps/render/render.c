// render: a path tracer that can work in pieces.
//
//   render SCENE -o PICTURE                        the whole picture
//   render SCENE --tile I --tiles N -o TILE        tile I of N, as a tile file
//   render --join PICTURE TILE...                  tiles to picture
//   render --join-dir DIR -o PICTURE               the same for DIR/0/tile, DIR/1/tile, ...
//
// A picture joined from tiles is byte for byte the picture rendered whole.
// Exit code 0, or 2 with the reason on stderr.
// Memory that lives as long as the program is left to the end of the program.
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "png.h"
#include "scene.h"
#include "tile.h"
#include "trace.h"

enum { EXIT_WRONG = 2, PATH_BYTES = 256 };

// ---- Rendering ----

static int render_pixels(const Scene *scene, Tile *tile) {
    if (tile_allocate(tile) != 0) return -1;
    View view = view_of(scene);
    for (uint32_t i = 0; i < tile->count; i++) {
        uint32_t pixel = tile->first + i;
        render_pixel(scene, &view, pixel % tile->width, pixel / tile->width, tile->rgb + 3 * i);
    }
    return 0;
}

static Scene scene; // too large for the stack

static int render_picture(const char *scene_path, const char *out) {
    if (scene_read(scene_path, &scene) != 0) return -1;
    Tile all = tile_place(scene.width, scene.height, 0, 1);
    if (render_pixels(&scene, &all) != 0) return -1;
    return png_write(out, all.rgb, all.width, all.height);
}

static int render_tile(const char *scene_path, uint32_t index, uint32_t tiles, const char *out) {
    if (scene_read(scene_path, &scene) != 0) return -1;
    uint32_t pixels = (uint32_t)(scene.width * scene.height);
    if (tiles > pixels) {
        fprintf(stderr, "render: %u tiles for %u pixels\n", (unsigned)tiles, (unsigned)pixels);
        return -1;
    }
    Tile tile = tile_place(scene.width, scene.height, index, tiles);
    if (render_pixels(&scene, &tile) != 0) return -1;
    return tile_write(out, &tile);
}

// ---- Joining ----

typedef struct {
    Tile all;
    bool *filled; // per pixel
    uint32_t left;
} Join;

static int start_join(Join *join, const Tile *first) {
    join->all = tile_place(first->width, first->height, 0, 1);
    join->left = join->all.count;
    join->filled = calloc(join->all.count, sizeof *join->filled);
    if (!join->filled || tile_allocate(&join->all) != 0) return -1;
    return 0;
}

static int add_tile(Join *join, const char *path) {
    Tile tile;
    if (tile_read(path, &tile) != 0) return -1;
    int result = join->filled ? 0 : start_join(join, &tile);
    if (result == 0 && (tile.width != join->all.width || tile.height != join->all.height)) {
        fprintf(stderr, "render: %s: belongs to a picture of another size\n", path);
        result = -1;
    }
    for (uint32_t i = 0; result == 0 && i < tile.count; i++) {
        uint32_t pixel = tile.first + i;
        if (join->filled[pixel]) {
            fprintf(stderr, "render: %s: pixel %u is already there\n", path, (unsigned)pixel);
            result = -1;
            break;
        }
        join->filled[pixel] = true;
        join->left--;
        memcpy(join->all.rgb + 3 * pixel, tile.rgb + 3 * i, 3);
    }
    free(tile.rgb);
    return result;
}

static int finish_join(const Join *join, const char *out) {
    if (!join->filled) {
        fprintf(stderr, "render: no tiles to join\n");
        return -1;
    }
    if (join->left > 0) {
        fprintf(stderr, "render: %u pixels are in no tile\n", (unsigned)join->left);
        return -1;
    }
    return png_write(out, join->all.rgb, join->all.width, join->all.height);
}

static int join_files(char **paths, int count, const char *out) {
    Join join = {0};
    for (int i = 0; i < count; i++) {
        if (add_tile(&join, paths[i]) != 0) return -1;
    }
    return finish_join(&join, out);
}

static int join_folder(const char *folder, const char *out) {
    Join join = {0};
    for (unsigned i = 0;; i++) {
        char path[PATH_BYTES];
        struct stat about;
        if (snprintf(path, sizeof path, "%s/%u/tile", folder, i) >= PATH_BYTES) {
            fprintf(stderr, "render: the name of %s is too long\n", folder);
            return -1;
        }
        if (stat(path, &about) != 0 && errno == ENOENT) return finish_join(&join, out);
        if (add_tile(&join, path) != 0) return -1;
    }
}

// ---- Command line ----

static const char USAGE[] = "usage: render SCENE -o PICTURE\n"
                            "       render SCENE --tile I --tiles N -o TILE\n"
                            "       render --join PICTURE TILE...\n"
                            "       render --join-dir DIR -o PICTURE\n";

typedef struct {
    const char *scene, *out, *join_dir, *tile, *tiles;
} Options;

// Every option takes one value; the one word without an option is the scene.
static bool read_options(int argc, char **argv, Options *options) {
    for (int i = 1; i < argc; i++) {
        const char **to = strcmp(argv[i], "-o") == 0           ? &options->out
                          : strcmp(argv[i], "--join-dir") == 0 ? &options->join_dir
                          : strcmp(argv[i], "--tile") == 0     ? &options->tile
                          : strcmp(argv[i], "--tiles") == 0    ? &options->tiles
                                                               : NULL;
        if (!to && argv[i][0] == '-') return false;
        if (!to) {
            to = &options->scene;
        } else if (++i == argc) {
            return false;
        }
        if (*to) return false; // given twice
        *to = argv[i];
    }
    return options->out && !options->scene != !options->join_dir && !options->tile == !options->tiles &&
           !(options->join_dir && options->tile);
}

static bool whole_number(const char *word, uint32_t *value) {
    char *end;
    errno = 0;
    unsigned long number = strtoul(word, &end, 10);
    *value = (uint32_t)number;
    return word[0] >= '0' && word[0] <= '9' && *end == '\0' && errno == 0;
}

static int wrong_usage(void) {
    fputs(USAGE, stderr);
    return EXIT_WRONG;
}

int main(int argc, char **argv) {
    if (argc >= 4 && strcmp(argv[1], "--join") == 0) {
        return join_files(argv + 3, argc - 3, argv[2]) == 0 ? EXIT_SUCCESS : EXIT_WRONG;
    }
    Options options = {0};
    if (!read_options(argc, argv, &options)) return wrong_usage();
    int result;
    if (options.join_dir) {
        result = join_folder(options.join_dir, options.out);
    } else if (!options.tile) {
        result = render_picture(options.scene, options.out);
    } else {
        uint32_t index, tiles;
        if (!whole_number(options.tile, &index) || !whole_number(options.tiles, &tiles) || index >= tiles) {
            fprintf(stderr, "render: --tile must be a number below --tiles\n");
            return wrong_usage();
        }
        result = render_tile(options.scene, index, tiles, options.out);
    }
    return result == 0 ? EXIT_SUCCESS : EXIT_WRONG;
}
