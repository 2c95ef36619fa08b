# Satterthwaite's degrees of freedom of the case classes_transforms, where a theta is nearly 0 (0.0015), by lmerTest's formula
# with other steps. numDeriv's steps are a fraction of each parameter (lmerTest: 1e-4), so the Hessian in that theta is
# rounding error: 1e-4 gives 359 or 511 and 1e-3 342 or -732 for the intercept, by the number of extrapolations. Larger
# fractions, and steps of one size for all parameters, settle at 331.45, which is ours. Run in this folder: Rscript satterthwaite_steps.R
suppressMessages({library(lme4); library(lmerTest); library(numDeriv)})
d <- read.csv("data/classes.csv", stringsAsFactors = TRUE)
d$school <- factor(d$school)
f <- score ~ scale(prior) + I(scale(prior)^2) + log(prior) + sex + (scale(prior)|school)
ctl <- lmerControl("bobyqa", optCtrl=list(rhobeg=.2, rhoend=1e-10, maxfun=1e5), calc.derivs=FALSE)
m <- lme4::lmer(f, d, control=ctl)
th <- getME(m,"theta"); sg <- sigma(m); print(th); print(REMLcrit(m), digits=12)
lt <- as_lmerModLmerTest(m); print(coef(summary(lt))[,"df"])
devfun <- lmerTest:::devfun_vp
cov <- lmerTest:::get_covbeta
dd <- update(m, devFunOnly=TRUE)
vp <- c(th, sg)
ss <- function(dstep, r) {
  args <- list(eps=1e-4, d=dstep, r=r, zero.tol=sqrt(.Machine$double.eps/7e-7), v=2)
  H <- numDeriv::hessian(devfun, vp, devfun=dd, reml=TRUE, method.args=args)
  e <- eigen(H, symmetric=TRUE); A <- 2*e$vectors %*% (t(e$vectors)/e$values)
  J <- numDeriv::jacobian(cov, vp, devfun=dd, method.args=args)
  p <- length(fixef(m)); Jl <- lapply(seq_along(vp), function(i) matrix(J[,i],p,p))
  V <- cov(vp, dd)
  sapply(1:p, function(k){ g <- sapply(Jl, function(x) x[k,k]); 2*V[k,k]^2/sum(g*(A%*%g)) })
}
for (s in c(1e-4,1e-3,1e-2,.03,.1)) for (r in c(4,6)) cat(s, r, format(ss(s,r), digits=9), "\n")
# Central differences with one step for all parameters.
absolute <- function(h) {
  q <- length(vp); H <- matrix(0,q,q); E <- diag(q)*h
  fn <- function(x) devfun(x, dd, TRUE)
  for (i in 1:q) for (j in 1:q) H[i,j] <- (fn(vp+E[i,]+E[j,])-fn(vp+E[i,]-E[j,])-fn(vp-E[i,]+E[j,])+fn(vp-E[i,]-E[j,]))/(4*h^2)
  A <- 2*solve(H); p <- length(fixef(m)); V <- cov(vp,dd)
  Jl <- lapply(1:q, function(i) (cov(vp+E[i,],dd)-cov(vp-E[i,],dd))/(2*h))
  sapply(1:p, function(k){ g <- sapply(Jl, function(x) x[k,k]); 2*V[k,k]^2/sum(g*(A%*%g)) })
}
for (h in c(1e-4,3e-4,1e-3,3e-3)) cat("abs", h, format(absolute(h), digits=9), "\n")
