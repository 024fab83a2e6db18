// A libcuda.so.1 for machines without a GPU: no device is found, everything else succeeds and does nothing. With it
// cuDNN compiles its plans for a GPU that is only described.
#include <dlfcn.h>

extern "C" {

int succeed() { return 0; }

int cuInit(unsigned) { return 100; }  // CUDA_ERROR_NO_DEVICE
int cuDriverGetVersion(int* version) {
  *version = 13000;
  return 0;
}

// An image that is loaded stands for its kernels.
int cuLibraryLoadData(void** library, const void* image, void*, void*, unsigned, void*, void*, unsigned) {
  *library = const_cast<void*>(image);
  return 0;
}
int cuLibraryGetKernel(void** kernel, void* library, const char*) {
  *kernel = library;
  return 0;
}
int cuKernelGetFunction(void** function, void* kernel) {
  *function = kernel;
  return 0;
}
int cuModuleLoadData(void** module, const void* image) {
  *module = const_cast<void*>(image);
  return 0;
}
int cuModuleLoadDataEx(void** module, const void* image, unsigned, void*, void*) {
  return cuModuleLoadData(module, image);
}
int cuModuleGetFunction(void** function, void* module, const char*) {
  *function = module;
  return 0;
}
int cuGetErrorString(int, const char** text) {
  *text = "no device";
  return 0;
}
int cuGetErrorName(int error, const char** name) { return cuGetErrorString(error, name); }

int cuGetProcAddress_v2(const char* name, void** function, int, unsigned long long, int* status) {
  *function = dlsym(RTLD_DEFAULT, name);
  if (*function == nullptr) *function = reinterpret_cast<void*>(&succeed);
  if (status != nullptr) *status = 0;
  return 0;
}
int cuGetProcAddress(const char* name, void** function, int version, unsigned long long flags) {
  return cuGetProcAddress_v2(name, function, version, flags, nullptr);
}

}  // extern "C"
