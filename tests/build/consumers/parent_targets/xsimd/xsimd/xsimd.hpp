// Stands for an xsimd of the project.
#define XSIMD_OF_THE_PROJECT
