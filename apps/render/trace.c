// A path tracer: direct light is sampled at every diffuse hit, the sky is found by the path itself.
// Glass lets direct light through tinted but unbent: shadows of glass are bright, focused light is
// missing, and in return the picture has little noise at few samples.
#include "trace.h"

#include <math.h>
#include <stdbool.h>

#include "sample.h"

static const double PI = 3.14159265358979323846;
static const double NUDGE = 1e-6;        // lifts new rays off the surface they start from
static const double FAR_AWAY = 1e9;      // no shape reaches this far
static const double INDIRECT_MAX = 4.0;  // cuts the rare very bright paths that would show as dots
static const double COAT_LEAST = 0.2;    // share of paths that follow a plastic's reflection
static const int ROULETTE_FROM = 3;      // bounces before weak paths may be ended by chance

typedef struct {
    Vec from, way;
} Ray;

typedef struct {
    double distance;
    Vec point, normal; // the normal looks against the ray
    bool inside;       // the ray hit the shape from within
    int material;
    int sphere;        // index of the sphere, -1 for other shapes
} Hit;

// ---- Where a ray meets a shape: the distance, or FAR_AWAY ----

static inline double meet_sphere(const Sphere *s, Ray ray) {
    Vec to = sub(s->centre, ray.from);
    double middle = dot(to, ray.way);
    double gap = dot(to, to) - s->radius * s->radius;
    if (gap > 0.0 && middle < 0.0) return FAR_AWAY;
    double under = middle * middle - gap;
    if (under < 0.0) return FAR_AWAY;
    double half = sqrt(under);
    double near = middle - half;
    if (near > NUDGE) return near;
    double far = middle + half;
    return far > NUDGE ? far : FAR_AWAY;
}

static inline double meet_plane(const Plane *p, Ray ray) {
    double slope = dot(p->normal, ray.way);
    if (fabs(slope) < 1e-12) return FAR_AWAY;
    double distance = (p->offset - dot(p->normal, ray.from)) / slope;
    return distance > NUDGE ? distance : FAR_AWAY;
}

// Narrows [near, far] to where the ray is between two parallel walls.
static inline void clip(double from, double way, double low, double high, double *near, double *far) {
    if (fabs(way) < 1e-12) {
        if (from < low || from > high) *near = FAR_AWAY;
        return;
    }
    double a = (low - from) / way, b = (high - from) / way;
    *near = most(*near, least(a, b));
    *far = least(*far, most(a, b));
}

static inline double meet_box(const Box *b, Ray ray) {
    double near = -FAR_AWAY, far = FAR_AWAY;
    clip(ray.from.x, ray.way.x, b->low.x, b->high.x, &near, &far);
    clip(ray.from.y, ray.way.y, b->low.y, b->high.y, &near, &far);
    clip(ray.from.z, ray.way.z, b->low.z, b->high.z, &near, &far);
    if (near > far) return FAR_AWAY;
    if (near > NUDGE) return near;
    return far > NUDGE ? far : FAR_AWAY;
}

// The outward normal of the wall a point on a box is nearest to.
static Vec box_normal(const Box *b, Vec p) {
    Vec half = scale(sub(b->high, b->low), 0.5);
    Vec at = sub(p, add(b->low, half));
    double gx = half.x - fabs(at.x), gy = half.y - fabs(at.y), gz = half.z - fabs(at.z);
    if (gx <= gy && gx <= gz) return vec(at.x < 0.0 ? -1.0 : 1.0, 0.0, 0.0);
    if (gy <= gz) return vec(0.0, at.y < 0.0 ? -1.0 : 1.0, 0.0);
    return vec(0.0, 0.0, at.z < 0.0 ? -1.0 : 1.0);
}

static bool nearest_hit(const Scene *scene, Ray ray, Hit *hit) {
    double best = FAR_AWAY, distance;
    int sphere = -1, plane = -1, box = -1;
    for (int i = 0; i < scene->sphere_count; i++) {
        distance = meet_sphere(&scene->spheres[i], ray);
        if (distance < best) best = distance, sphere = i;
    }
    for (int i = 0; i < scene->plane_count; i++) {
        distance = meet_plane(&scene->planes[i], ray);
        if (distance < best) best = distance, sphere = -1, plane = i;
    }
    for (int i = 0; i < scene->box_count; i++) {
        distance = meet_box(&scene->boxes[i], ray);
        if (distance < best) best = distance, sphere = plane = -1, box = i;
    }
    if (best == FAR_AWAY) return false;
    hit->distance = best;
    hit->point = add(ray.from, scale(ray.way, best));
    hit->sphere = sphere;
    if (sphere >= 0) {
        const Sphere *s = &scene->spheres[sphere];
        hit->normal = scale(sub(hit->point, s->centre), 1.0 / s->radius);
        hit->material = s->material;
    } else if (plane >= 0) {
        hit->normal = scene->planes[plane].normal;
        hit->material = scene->planes[plane].material;
    } else {
        hit->normal = box_normal(&scene->boxes[box], hit->point);
        hit->material = scene->boxes[box].material;
    }
    hit->inside = dot(hit->normal, ray.way) > 0.0;
    if (hit->inside) hit->normal = scale(hit->normal, -1.0);
    return true;
}

// ---- Light ----

static inline bool is_shade(const Scene *scene, int material, Vec *through) {
    const Material *m = &scene->materials[material];
    if (m->kind == LIGHT) return false;
    if (m->kind != GLASS) return true;
    *through = mul(*through, scale(m->colour, 0.85));
    return false;
}

// How much of the light along the ray arrives from `reach` away.
static Vec light_through(const Scene *scene, Ray ray, double reach) {
    Vec through = vec(1.0, 1.0, 1.0), nothing = vec(0.0, 0.0, 0.0);
    for (int i = 0; i < scene->sphere_count; i++) {
        if (meet_sphere(&scene->spheres[i], ray) < reach &&
            is_shade(scene, scene->spheres[i].material, &through))
            return nothing;
    }
    for (int i = 0; i < scene->box_count; i++) {
        if (meet_box(&scene->boxes[i], ray) < reach &&
            is_shade(scene, scene->boxes[i].material, &through))
            return nothing;
    }
    for (int i = 0; i < scene->plane_count; i++) {
        if (meet_plane(&scene->planes[i], ray) < reach &&
            is_shade(scene, scene->planes[i].material, &through))
            return nothing;
    }
    return through;
}

static Vec sky(const Scene *scene, Vec way) {
    double height = way.y < 0.0 ? 0.0 : way.y;
    return mix(scene->horizon, scene->zenith, sqrt(height));
}

// A direction around `axis` whose angle to it has the cosine given.
static inline Vec around(Vec axis, double cosine, double turn) {
    Vec s, t;
    basis(axis, &s, &t);
    double sine = sqrt(most(0.0, 1.0 - cosine * cosine)), c, d;
    circle(turn, &c, &d);
    return add(scale(axis, cosine), add(scale(s, sine * c), scale(t, sine * d)));
}

// Light that reaches a diffuse point straight from one shining sphere, chosen evenly.
static Vec direct_light(const Scene *scene, const Hit *hit, Sampler *sampler) {
    Vec dark = vec(0.0, 0.0, 0.0);
    if (scene->light_count == 0) return dark;
    Pair u = next_pair(sampler);
    double pick = u.a * scene->light_count;
    int chosen = (int)pick;
    const Sphere *light = &scene->spheres[scene->lights[chosen]];
    Vec to = sub(light->centre, hit->point);
    double square = dot(to, to);
    if (square <= light->radius * light->radius) return dark; // the path itself counts that light
    double widest = sqrt(1.0 - light->radius * light->radius / square);
    double cosine = 1.0 - (pick - chosen) * (1.0 - widest);
    Ray ray = {hit->point, around(scale(to, 1.0 / sqrt(square)), cosine, u.b)};
    double slope = dot(ray.way, hit->normal);
    if (slope <= 0.0) return dark;
    double reach = meet_sphere(light, ray);
    if (reach == FAR_AWAY) return dark; // grazed by rounding
    Vec through = light_through(scene, ray, reach);
    // Solid angle 2 pi (1 - widest), diffuse reflection 1 / pi.
    double weight = 2.0 * (1.0 - widest) * slope * scene->light_count;
    return scale(mul(through, scene->materials[light->material].colour), weight);
}

// ---- Surfaces ----

static Vec surface_colour(const Material *m, Vec p) {
    if (m->checker_size == 0.0) return m->colour;
    // Half a square of offset keeps surfaces at round coordinates off the pattern's own edges.
    double k = 1.0 / m->checker_size;
    double sum = floor(p.x * k + 0.5) + floor(p.y * k + 0.5) + floor(p.z * k + 0.5);
    return sum * 0.5 == floor(sum * 0.5) ? m->colour : m->colour2;
}

static inline Vec mirror(Vec way, Vec normal) {
    return sub(way, scale(normal, 2.0 * dot(way, normal)));
}

// Mirror direction spread out by roughness; never below the surface.
static Vec rough_mirror(Vec way, Vec normal, double roughness, Pair u) {
    Vec out = mirror(way, normal);
    if (roughness > 0.0) {
        double spread = roughness * roughness; // Beckmann's lobe: no long tail, few stray dots
        double cosine = 1.0 / sqrt(1.0 - spread * spread * log(1.0 - u.a));
        Vec bent = mirror(way, around(normal, cosine, u.b));
        if (dot(bent, normal) > 0.0) out = bent;
    }
    return out;
}

// Share of light that a border between air and a clear material reflects (Schlick).
static double border_share(double cosine, double index) {
    double r = (1.0 - index) / (1.0 + index);
    double r0 = r * r, m = 1.0 - cosine, m2 = m * m;
    return r0 + (1.0 - r0) * m2 * m2 * m;
}

static Vec through_glass(const Material *m, const Hit *hit, Vec way, double chance, Vec *weight) {
    double ratio = hit->inside ? m->index : 1.0 / m->index;
    double cosine = -dot(way, hit->normal);
    double under = 1.0 - ratio * ratio * (1.0 - cosine * cosine);
    if (under <= 0.0) return mirror(way, hit->normal); // total reflection
    double out = sqrt(under);
    if (chance < border_share(hit->inside ? out : cosine, m->index)) return mirror(way, hit->normal);
    if (!hit->inside) *weight = mul(*weight, m->colour);
    return add(scale(way, ratio), scale(hit->normal, ratio * cosine - out));
}

// Chooses where the path goes on and what it is worth there. True: by diffuse reflection.
static bool scatter(const Scene *scene, const Hit *hit, Sampler *sampler, Ray *ray, Vec *weight) {
    const Material *m = &scene->materials[hit->material];
    Pair u = next_pair(sampler);
    Vec way = ray->way;
    ray->from = hit->point;
    if (m->kind == METAL) {
        ray->way = rough_mirror(way, hit->normal, m->roughness, u);
        *weight = mul(*weight, m->colour);
        return false;
    }
    if (m->kind == GLASS) {
        ray->way = unit(through_glass(m, hit, way, u.a, weight));
        return false;
    }
    if (m->kind == PLASTIC) {
        // The coat is looked at more often than it reflects, or highlights would be a few lucky dots.
        double share = border_share(-dot(way, hit->normal), m->index);
        double chance = COAT_LEAST + (1.0 - COAT_LEAST) * share;
        if (next_pair(sampler).a < chance) {
            ray->way = rough_mirror(way, hit->normal, m->roughness, u);
            *weight = scale(*weight, share / chance);
            return false;
        }
        *weight = scale(*weight, (1.0 - share) / (1.0 - chance));
    }
    ray->way = around(hit->normal, sqrt(1.0 - u.a), u.b);
    *weight = mul(*weight, surface_colour(m, hit->point));
    return true;
}

// ---- Paths ----

static Vec bounded(Vec light, int bounce) {
    double peak = largest(light);
    return bounce > 0 && peak > INDIRECT_MAX ? scale(light, INDIRECT_MAX / peak) : light;
}

static Vec follow(const Scene *scene, Ray ray, Sampler *sampler) {
    Vec light = vec(0.0, 0.0, 0.0), weight = vec(1.0, 1.0, 1.0);
    bool seen_directly = true; // no diffuse reflection yet: lights are not sampled for this point
    for (int bounce = 0; bounce < scene->depth; bounce++) {
        Hit hit;
        if (!nearest_hit(scene, ray, &hit)) {
            return add(light, bounded(mul(weight, sky(scene, ray.way)), bounce));
        }
        const Material *m = &scene->materials[hit.material];
        if (m->kind == LIGHT) {
            if (!seen_directly && hit.sphere >= 0) return light;
            return add(light, bounded(mul(weight, m->colour), bounce));
        }
        if (scatter(scene, &hit, sampler, &ray, &weight)) {
            seen_directly = false;
            light = add(light, bounded(mul(weight, direct_light(scene, &hit, sampler)), bounce));
        }
        if (bounce >= ROULETTE_FROM) {
            double alive = least(0.95, largest(weight));
            if (next_pair(sampler).a >= alive) return light;
            weight = scale(weight, 1.0 / alive);
        }
    }
    return light;
}

View view_of(const Scene *scene) {
    const Camera *c = &scene->camera;
    Vec ahead = sub(c->target, c->eye);
    double focus = c->focus > 0.0 ? c->focus : sqrt(dot(ahead, ahead));
    ahead = unit(ahead);
    Vec right = unit(cross(ahead, vec(0.0, 1.0, 0.0)));
    Vec up = cross(right, ahead);
    double pixel = 2.0 * tan(c->fov_degrees * PI / 360.0) * focus / scene->height;
    Vec corner = add(scale(ahead, focus), add(scale(right, -0.5 * pixel * scene->width),
                                              scale(up, 0.5 * pixel * scene->height)));
    return (View){c->eye, scale(right, pixel), scale(up, -pixel), corner,
                  scale(right, c->aperture), scale(up, c->aperture), focus};
}

static Ray camera_ray(const View *view, double x, double y, Sampler *sampler) {
    Pair jitter = next_pair(sampler), u = next_pair(sampler);
    Vec at = add(view->corner, add(scale(view->right, x + jitter.a), scale(view->up, y + jitter.b)));
    double c, s, radius = sqrt(u.a);
    circle(u.b, &c, &s);
    Vec lens = add(scale(view->lens_x, radius * c), scale(view->lens_y, radius * s));
    return (Ray){add(view->eye, lens), unit(sub(at, lens))};
}

// Filmic curve (Narkowicz, 2015), then the sRGB transfer function.
static uint8_t to_byte(double light) {
    double film = light * (2.51 * light + 0.03) / (light * (2.43 * light + 0.59) + 0.14);
    double v = least(1.0, most(0.0, film));
    double srgb = v <= 0.0031308 ? 12.92 * v : 1.055 * pow(v, 1.0 / 2.4) - 0.055;
    return (uint8_t)(srgb * 255.0 + 0.5);
}

void render_pixel(const Scene *scene, const View *view, uint32_t x, uint32_t y, uint8_t rgb[3]) {
    Vec sum = vec(0.0, 0.0, 0.0);
    for (uint32_t i = 0; i < (uint32_t)scene->samples; i++) {
        Sampler sampler = sampler_at(x, y, i, (uint32_t)scene->samples);
        sum = add(sum, follow(scene, camera_ray(view, x, y, &sampler), &sampler));
    }
    Vec light = scale(sum, scene->exposure / scene->samples);
    rgb[0] = to_byte(light.x);
    rgb[1] = to_byte(light.y);
    rgb[2] = to_byte(light.z);
}
