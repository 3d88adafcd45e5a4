// A scene as the text file describes it (format: apps/README.md).
#ifndef SCENE_H
#define SCENE_H

#include "vec.h"

// Sizes are fixed: a scene stays readable text, and a wrong one is refused instead of filling memory.
enum {
    SIDE_MAX = 4096,
    SAMPLES_MAX = 65536,
    DEPTH_MAX = 64,
    MATERIALS_MAX = 64,
    SHAPES_MAX = 256,
    NAME_MAX_LENGTH = 31,
};

typedef enum { DIFFUSE, PLASTIC, METAL, GLASS, LIGHT } MaterialKind;

typedef struct {
    char name[NAME_MAX_LENGTH + 1];
    MaterialKind kind;
    Vec colour;
    Vec colour2;        // the other squares, if checker_size is not zero
    double checker_size;
    double roughness;   // metal and plastic: 0 is a mirror
    double index;       // plastic and glass: index of refraction
} Material;

typedef struct {
    Vec centre;
    double radius;
    int material;
} Sphere;

typedef struct {
    Vec normal;
    double offset;      // points p with dot(normal, p) = offset
    int material;
} Plane;

typedef struct {
    Vec low, high;
    int material;
} Box;

typedef struct {
    Vec eye, target;
    double fov_degrees; // vertical
    double aperture;    // lens radius, 0: everything is sharp
    double focus;       // distance of the sharp plane, 0: the target's
} Camera;

typedef struct {
    int width, height, samples, depth;
    double exposure;
    Camera camera;
    Vec horizon, zenith;
    Material materials[MATERIALS_MAX];
    Sphere spheres[SHAPES_MAX];
    Plane planes[SHAPES_MAX];
    Box boxes[SHAPES_MAX];
    int lights[SHAPES_MAX]; // the spheres that shine
    int material_count, sphere_count, plane_count, box_count, light_count;
} Scene;

// Reads a scene, or says on stderr what is wrong and where. Returns 0 on success.
int scene_read(const char *path, Scene *scene);

#endif
